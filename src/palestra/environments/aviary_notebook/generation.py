"""Tables and logs with a question each, and the answer that follows from them."""

import json
import statistics
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from random import Random
from types import MappingProxyType
from typing import Any

REGIONS = ("north", "south", "east", "west", "centre")
SPECIES = ("alder", "birch", "cedar", "maple", "willow", "hazel")
ROOMS = ("attic", "cellar", "hall", "kitchen", "study")


def table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    return "\n".join([",".join(header), *(",".join(map(str, row)) for row in rows)]) + "\n"


def number(question: str, files: dict[str, str], answer: float, decimals: int) -> dict[str, Any]:
    told = f"{question} Give a number with {decimals} decimals." if decimals else f"{question} Give a whole number."
    # The gold answer is not rounded as the reply is: 42.125 is 42.12 for some and 42.13 for others, and both are right.
    return {
        "question": told,
        "files": files,
        "expected_answer": f"{answer:.{decimals + 5}f}" if decimals else f"{answer:d}",
        "answer_kind": "number",
        "tolerance": round(0.5001 * 10**-decimals, decimals + 4) if decimals else 0.0,
    }


def text(question: str, files: dict[str, str], answer: str) -> dict[str, Any]:
    return {"question": f"{question} Give its name.", "files": files, "expected_answer": answer, "answer_kind": "text"}


def mean_of_group(random: Random) -> dict[str, Any]:
    rows = [
        (place, random.choice(REGIONS), round(random.uniform(5, 90), 2)) for place in range(1, random.randint(30, 50))
    ]
    region = random.choice([region for _, region, _ in rows])
    values = [amount for _, where, amount in rows if where == region]
    question = f"sales.csv lists sales. What is the mean amount of the sales in the region {region!r}?"
    return number(question, {"sales.csv": table(("id", "region", "amount"), rows)}, statistics.fmean(values), 2)


def joined_total(random: Random) -> dict[str, Any]:
    prices = [(f"P{place}", random.randint(3, 60)) for place in range(8)]
    orders = [(place, f"P{random.randrange(10)}", random.randint(1, 9)) for place in range(1, random.randint(25, 40))]
    known = dict(prices)
    total = sum(known[product] * count for _, product, count in orders if product in known)
    question = (
        "orders.csv lists orders of products and prices.csv what they cost apiece. What do all orders of products that "
        "have a price cost together?"
    )
    files = {
        "orders.csv": table(("order", "product", "count"), orders),
        "prices.csv": table(("product", "price"), prices),
    }
    return number(question, files, total, 0)


def missing_values(random: Random) -> dict[str, Any]:
    rows: list[tuple[Any, ...]] = []
    for place in range(1, random.randint(35, 55)):
        measured = [round(random.uniform(10, 30), 1) if random.random() > 0.2 else "" for _ in range(3)]
        rows.append((place, *measured))
    whole = sum(all(value != "" for value in row) for row in rows)
    question = "sensors.csv holds three readings in each line, some of which are empty. How many lines have all three?"
    return number(question, {"sensors.csv": table(("line", "first", "second", "third"), rows)}, whole, 0)


def correlation(random: Random) -> dict[str, Any]:
    slope = random.choice((-2.0, -0.7, 0.4, 1.5))
    rows: list[tuple[Any, ...]] = []
    for _ in range(random.randint(20, 40)):
        height = round(random.uniform(1, 20), 1)
        rows.append((height, round(slope * height + random.gauss(0, 6), 1)))
    heights, growths = zip(*rows, strict=True)
    question = "plants.csv holds pairs of height and growth. What is Pearson's correlation between the two?"
    return number(
        question, {"plants.csv": table(("height", "growth"), rows)}, statistics.correlation(heights, growths), 3
    )


def slope(random: Random) -> dict[str, Any]:
    steep = random.uniform(-3, 3)
    rows = [(day, round(steep * day + random.gauss(40, 5), 2)) for day in range(1, random.randint(20, 40))]
    days, levels = zip(*rows, strict=True)
    found = statistics.linear_regression(days, levels).slope
    question = "levels.csv holds the level of each day. What is the slope of the least-squares line of level over day?"
    return number(question, {"levels.csv": table(("day", "level"), rows)}, found, 3)


def most_frequent(random: Random) -> dict[str, Any]:
    weights = random.sample(range(1, 30), len(SPECIES))
    while True:
        rows = [(place, random.choices(SPECIES, weights)[0], random.randint(2, 30)) for place in range(1, 45)]
        old = Counter(kind for _, kind, height in rows if height >= 10)
        first, second = [*old.most_common(2), ("", 0), ("", 0)][:2]
        if first[1] > second[1]:
            break
    question = (
        "trees.csv lists trees and their height. Which species occurs most often among those of at least 10 metres?"
    )
    return text(question, {"trees.csv": table(("id", "species", "height_m"), rows)}, first[0])


def failed_requests(random: Random) -> dict[str, Any]:
    lines: list[str] = []
    slow = 0
    for place in range(random.randint(30, 60)):
        status = random.choice((200, 200, 200, 404, 500, 503))
        took = random.randint(1, 400)
        slow += status >= 500 and took > 100
        lines.append(json.dumps({"id": place, "response": {"status": status, "took_ms": took}}))
    question = (
        "requests.jsonl holds one request in each line. How many of them have a status of 500 or more and took more "
        "than 100 ms?"
    )
    return number(question, {"requests.jsonl": "\n".join(lines) + "\n"}, slow, 0)


def longest_rise(random: Random) -> dict[str, Any]:
    values = [random.randint(0, 99) for _ in range(random.randint(30, 60))]
    begin = longest = longest_begin = 0
    for place, (before, after) in enumerate(pairwise(values), 1):
        begin = begin if after > before else place
        if place - begin > longest:
            longest, longest_begin = place - begin, begin
    question = (
        "series.txt holds one value in each line, in the order of time. At which line, counted from 1, does the "
        "longest run of consecutive lines begin in which each value is greater than the one before it? If several are "
        "as long, take the first."
    )
    return number(question, {"series.txt": "\n".join(map(str, values)) + "\n"}, longest_begin + 1, 0)


def warmest_room(random: Random) -> dict[str, Any]:
    while True:
        rows = [
            (f"2031-03-{day:02d}", room, round(random.uniform(12, 24), 1)) for day in range(1, 11) for room in ROOMS
        ]
        medians = {room: statistics.median(warm for _, where, warm in rows if where == room) for room in ROOMS}
        first, second = sorted(medians.values(), reverse=True)[:2]
        if first - second > 0.05:
            break
    question = (
        "rooms.csv holds the temperature of each room on each day. Which room has the highest median temperature?"
    )
    return text(
        question, {"rooms.csv": table(("day", "room", "celsius"), rows)}, max(medians, key=lambda room: medians[room])
    )


KINDS: MappingProxyType[str, Callable[[Random], dict[str, Any]]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            mean_of_group, joined_total, missing_values, correlation, slope, most_frequent, failed_requests,
            longest_rise, warmest_room,
        )
    }
)  # fmt: skip


def make_task(random: Random, place: int) -> dict[str, Any]:
    """The task of a place in a sequence: the kinds take turns."""
    kind = list(KINDS)[place % len(KINDS)]
    return {**KINDS[kind](random), "analysis": kind}
