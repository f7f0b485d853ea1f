"""The situations that word problems are made of: each is a function that draws its numbers and tells its story."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from .things import BIRDS, CHILD, CONTAINERS, DAY, DOLLAR, FOODS, NAMES, PAGE, ROW, SEAT, THINGS, TREE


@dataclass(frozen=True, slots=True)
class Story:
    """A problem with its solution: one equation a step, the last of which gives the answer."""

    question: str
    steps: tuple[str, ...]

    @property
    def answer(self) -> int:
        return int(self.steps[-1].rpartition("= ")[2])


Situation = Callable[[Random], Story]


def step(left: int, operator: str, right: int) -> str:
    """`3 + 4 = 7`. What is subtracted never exceeds what is there, and what is divided goes in evenly."""
    results = {"+": left + right, "-": left - right, "*": left * right, "/": left // right}
    assert results[operator] >= 0, (left, operator, right)
    assert operator != "/" or left % right == 0, (left, right)
    return f"{left} {operator} {right} = {results[operator]}"


# One addition or subtraction with small numbers.


def gain(rng: Random) -> Story:
    thing, (name, friend) = rng.choice(THINGS), rng.sample(NAMES, 2)
    have, more = rng.randint(2, 9), rng.randint(1, 6)
    return Story(
        f"{name} has {thing(have)}. {friend} gives {name} {more} more. How many {thing.many} does {name} have now?",
        (step(have, "+", more),),
    )


def loss(rng: Random) -> Story:
    thing, (name, friend) = rng.choice(THINGS), rng.sample(NAMES, 2)
    have = rng.randint(3, 10)
    gone = rng.randint(1, have - 1)
    return Story(
        f"{name} has {thing(have)} and gives {gone} of them to {friend}. How many {thing.many} does {name} have left?",
        (step(have, "-", gone),),
    )


def together(rng: Random) -> Story:
    thing, (name, friend) = rng.choice(THINGS), rng.sample(NAMES, 2)
    first, second = rng.randint(1, 8), rng.randint(1, 8)
    return Story(
        f"{name} finds {thing(first)} and {friend} finds {thing(second)}. "
        f"How many {thing.many} do they find altogether?",
        (step(first, "+", second),),
    )


def eaten(rng: Random) -> Story:
    food, name = rng.choice(FOODS), rng.choice(NAMES)
    baked = rng.randint(4, 10)
    gone = rng.randint(1, baked - 1)
    were = "was" if gone == 1 else "were"
    return Story(
        f"{name} makes {food(baked)} for breakfast. By noon, {gone} of them {were} eaten. "
        f"How many {food.many} are left?",
        (step(baked, "-", gone),),
    )


def arrivals(rng: Random) -> Story:
    bird, place = rng.choice(BIRDS), rng.choice(("fence", "roof", "wall", "wire", "bridge"))
    here, come = rng.randint(2, 9), rng.randint(1, 6)
    land = "lands" if come == 1 else "land"
    return Story(
        f"{bird(here)} sit on a {place}. Then {come} more {land} there. How many {bird.many} are on the {place} now?",
        (step(here, "+", come),),
    )


# One step of any kind.


def equal_groups(rng: Random) -> Story:
    thing, container, name = rng.choice(THINGS), rng.choice(CONTAINERS), rng.choice(NAMES)
    groups, each = rng.randint(2, 9), rng.randint(2, 9)
    return Story(
        f"{name} has {container(groups)} with {thing(each)} in each. How many {thing.many} does {name} have in all?",
        (step(groups, "*", each),),
    )


def price(rng: Random) -> Story:
    thing, name = rng.choice(THINGS), rng.choice(NAMES)
    count, cost = rng.randint(2, 9), rng.randint(1, 9)
    return Story(
        f"{name} buys {thing(count)}. Each {thing.one} costs {DOLLAR(cost)}. How many dollars does {name} pay?",
        (step(count, "*", cost),),
    )


def fair_shares(rng: Random) -> Story:
    thing, name = rng.choice(THINGS), rng.choice(NAMES)
    children, each = rng.randint(2, 9), rng.randint(2, 9)
    return Story(
        f"{name} shares {thing(children * each)} equally among {CHILD(children)}. "
        f"How many {thing.many} does each child get?",
        (step(children * each, "/", children),),
    )


def pages_left(rng: Random) -> Story:
    name = rng.choice(NAMES)
    pages = rng.randint(40, 180)
    read = rng.randint(11, pages - 5)
    return Story(
        f"{name}'s book has {PAGE(pages)}. {name} has read {read} of them. How many pages are left to read?",
        (step(pages, "-", read),),
    )


def two_days(rng: Random) -> Story:
    food, name = rng.choice(FOODS), rng.choice(NAMES)
    first, second = rng.randint(15, 90), rng.randint(15, 90)
    return Story(
        f"{name}'s bakery sells {food(first)} on Saturday and {food(second)} on Sunday. "
        f"How many {food.many} does it sell on the two days together?",
        (step(first, "+", second),),
    )


# Two steps.


def groups_and_loose(rng: Random) -> Story:
    thing, container, name = rng.choice(THINGS), rng.choice(CONTAINERS), rng.choice(NAMES)
    groups, each, loose = rng.randint(2, 9), rng.randint(2, 12), rng.randint(1, 15)
    return Story(
        f"{name} has {container(groups)} with {thing(each)} in each, and {loose} more on the table. "
        f"How many {thing.many} does {name} have?",
        (step(groups, "*", each), step(groups * each, "+", loose)),
    )


def change(rng: Random) -> Story:
    food, name = rng.choice(FOODS), rng.choice(NAMES)
    count, cost = rng.randint(2, 9), rng.randint(2, 6)
    paid = next(note for note in (20, 50, 100) if note >= count * cost)
    return Story(
        f"{name} buys {food(count)} at {DOLLAR(cost)} each and pays with a {paid} dollar note. "
        f"How many dollars does {name} get back?",
        (step(count, "*", cost), step(paid, "-", count * cost)),
    )


def empty_seats(rng: Random) -> Story:
    rows, each = rng.randint(3, 12), rng.randint(4, 12)
    taken = rng.randint(2, rows * each - 2)
    return Story(
        f"A small cinema has {ROW(rows)} of {SEAT(each)} each. Tonight {taken} seats are taken. "
        "How many seats are empty?",
        (step(rows, "*", each), step(rows * each, "-", taken)),
    )


def give_and_take(rng: Random) -> Story:
    thing, (name, friend, other) = rng.choice(THINGS), rng.sample(NAMES, 3)
    have = rng.randint(10, 40)
    gone, come = rng.randint(2, have - 1), rng.randint(2, 20)
    return Story(
        f"{name} has {thing(have)}. {name} gives {gone} to {friend} and then gets {come} from {other}. "
        f"How many {thing.many} does {name} have at the end?",
        (step(have, "-", gone), step(have - gone, "+", come)),
    )


def pooled_shares(rng: Random) -> Story:
    thing, (name, friend) = rng.choice(THINGS), rng.sample(NAMES, 2)
    children, each = rng.randint(2, 6), rng.randint(3, 9)
    total = children * each
    first = rng.randint(2, total - 2)
    return Story(
        f"{name} brings {thing(first)} and {friend} brings {thing(total - first)}. They put them together and share "
        f"them equally among {CHILD(children)}. How many {thing.many} does each child get?",
        (step(first, "+", total - first), step(total, "/", children)),
    )


# Three steps.


def two_purchases(rng: Random) -> Story:
    first, second = rng.sample(FOODS, 2)
    name = rng.choice(NAMES)
    (count, cost), (more, other_cost) = [(rng.randint(2, 8), rng.randint(2, 6)) for _ in range(2)]
    return Story(
        f"For a picnic, {name} buys {first(count)} at {DOLLAR(cost)} each and {second(more)} at {DOLLAR(other_cost)} "
        f"each. How many dollars does {name} spend in total?",
        (step(count, "*", cost), step(more, "*", other_cost), step(count * cost, "+", more * other_cost)),
    )


def damaged_goods(rng: Random) -> Story:
    thing, container, name = rng.choice(THINGS), rng.choice(CONTAINERS), rng.choice(NAMES)
    groups, each, children = rng.randint(2, 8), rng.randint(4, 9), rng.randint(2, 5)
    share = rng.randint(1, (groups * each - 1) // children)
    total, good = groups * each, children * share
    lost = total - good
    are = "is" if lost == 1 else "are"
    return Story(
        f"{name} unpacks {container(groups)} with {thing(each)} in each. {lost} of them {are} damaged. {name} shares "
        f"the good ones equally among {CHILD(children)}. How many {thing.many} does each child get?",
        (step(groups, "*", each), step(total, "-", lost), step(good, "/", children)),
    )


def reading_plan(rng: Random) -> Story:
    name = rng.choice(NAMES)
    (days, each), (more_days, faster) = (rng.randint(2, 7), rng.randint(6, 20)), (rng.randint(2, 5), rng.randint(9, 25))
    return Story(
        f"{name} reads {PAGE(each)} a day for {DAY(days)}, and then {PAGE(faster)} a day for {DAY(more_days)}. "
        f"How many pages is that altogether?",
        (step(days, "*", each), step(more_days, "*", faster), step(days * each, "+", more_days * faster)),
    )


def orchard(rng: Random) -> Story:
    name = rng.choice(NAMES)
    rows, each = rng.randint(3, 9), rng.randint(3, 9)
    trees = rows * each
    felled, planted = rng.randint(2, trees - 2), rng.randint(3, 20)
    return Story(
        f"{name} has an orchard with {ROW(rows)} of {TREE(each)} each. A storm fells {felled} trees, and in spring "
        f"{name} plants {planted} new ones. How many trees are in the orchard now?",
        (step(rows, "*", each), step(trees, "-", felled), step(trees - felled, "+", planted)),
    )


def fundraiser(rng: Random) -> Story:
    food, (name, friend) = rng.choice(FOODS), rng.sample(NAMES, 2)
    first, second, cost = rng.randint(5, 20), rng.randint(5, 20), rng.randint(2, 5)
    earned = (first + second) * cost
    spent = rng.randint(4, earned - 5)
    return Story(
        f"At the school fair {name} sells {food(first)} and {friend} sells {food(second)}, at {DOLLAR(cost)} each. "
        f"They spent {DOLLAR(spent)} on flour and sugar. How many dollars do they earn after that cost?",
        (step(first, "+", second), step(first + second, "*", cost), step(earned, "-", spent)),
    )


SITUATIONS: MappingProxyType[int, tuple[Situation, ...]] = MappingProxyType(
    {
        1: (gain, loss, together, eaten, arrivals),
        2: (equal_groups, price, fair_shares, pages_left, two_days),
        3: (groups_and_loose, change, empty_seats, give_and_take, pooled_shares),
        4: (two_purchases, damaged_goods, reading_plan, orchard, fundraiser),
    }
)
"""Situations by difficulty."""


def write_story(rng: Random, difficulty: int) -> Story:
    return rng.choice(SITUATIONS[difficulty])(rng)
