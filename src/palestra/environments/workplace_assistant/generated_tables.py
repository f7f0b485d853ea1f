"""The environment's own tables: an invented company, the same every time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import product
from random import Random

from .analytics import SOURCES
from .customers import PRODUCTS, STATUSES
from .invented import (
    COMPANIES,
    DOMAIN,
    EVENT_NAMES,
    FAMILY_NAMES,
    GIVEN_NAMES,
    GREETINGS,
    NOTES,
    OBJECTS,
    PEOPLE,
    SENTENCES,
    VERBS,
)  # fmt: skip
from .projects import LISTS
from .tables import COLUMNS, Row, Tables

SEED = "the office of Linden"
FIRST_DAY = datetime(2023, 8, 1)
EMAILS, EVENTS, VISITS, TASKS, CUSTOMERS = 500, 300, 1000, 300, 200


@cache
def generated_tables() -> Tables:
    """The tables, made once a process in a few milliseconds."""
    addresses = tuple(f"{name.lower().replace(' ', '.')}@{DOMAIN}" for name in PEOPLE)
    tasks = rows("tasks", make_tasks(Random(f"{SEED}/tasks"), addresses))
    return Tables(
        addresses=addresses,
        emails=rows("emails", make_emails(Random(f"{SEED}/emails"), addresses, [row["task_name"] for row in tasks])),
        events=rows("events", make_events(Random(f"{SEED}/events"), addresses)),
        visits=rows("visits", make_visits(Random(f"{SEED}/visits"))),
        tasks=tasks,
        customers=rows("customers", make_customers(Random(f"{SEED}/customers"), addresses)),
    )


def rows(name: str, content: Iterator[tuple[object, ...]]) -> tuple[Row, ...]:
    return tuple(dict(zip(COLUMNS[name], values, strict=True)) for values in content)


def ids(random: Random, count: int) -> Iterator[str]:
    """Ids in an order that says nothing about the rows."""
    numbers = list(range(count))
    random.shuffle(numbers)
    return (f"{number:08}" for number in numbers)


def make_tasks(random: Random, addresses: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    names = [(f"{verb} {what}", board) for verb, (what, board) in product(VERBS, OBJECTS)]
    chosen = random.sample(names, TASKS)
    days = sorted(random.randint(0, 60) for _ in range(TASKS))
    for identifier, (name, board), day in zip(ids(random, TASKS), chosen, days, strict=True):
        due = datetime(2023, 11, 1) + timedelta(days=day)
        yield (
            identifier,
            name,
            random.choice(addresses),
            random.choices(LISTS, (4, 3, 2, 3))[0],
            f"{due:%Y-%m-%d}",
            board,
        )


def make_emails(random: Random, addresses: tuple[str, ...], tasks: list[str]) -> Iterator[tuple[object, ...]]:
    # No two emails are sent in the same minute, so "the last one" is always one.
    minutes = sorted(random.sample(range(60 * 24 * 60), EMAILS))
    for identifier, minute in zip(ids(random, EMAILS), minutes, strict=True):
        person = random.randrange(len(addresses))
        topic = random.choice(tasks) if random.random() < 0.6 else random.choice(EVENT_NAMES)
        subject = random.choice(("Update on {}", "Question about {}", "{}", "Next steps for {}")).format(topic)
        first = PEOPLE[person].split()[0]
        box = random.choices(("inbox", "outbox"), (4, 1))[0]
        text = " ".join(random.sample(SENTENCES, 2)).format(topic=topic)
        signature = first if box == "inbox" else "Robin"
        body = f"{random.choice(GREETINGS)} {'Robin' if box == 'inbox' else first},\n\n{text}\n\n{signature}"
        sent = datetime(2023, 10, 1) + timedelta(minutes=minute, seconds=random.randint(0, 59))
        yield identifier, box, addresses[person], subject, f"{sent:%Y-%m-%d %H:%M:%S}", body


def make_events(random: Random, addresses: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    days = [day for day in (FIRST_DAY + timedelta(days=number) for number in range(184)) if day.weekday() < 5]
    # Half hours from 9 to 18, three to an event at most, so that no two events of a day overlap.
    places = sorted(random.sample([(day, slot) for day in days for slot in range(0, 18, 3)], EVENTS))
    for identifier, (day, slot) in zip(ids(random, EVENTS), places, strict=True):
        start = day + timedelta(hours=9, minutes=30 * slot)
        length = random.choice(("30", "60", "90"))
        yield identifier, random.choice(EVENT_NAMES), random.choice(addresses), f"{start:%Y-%m-%d %H:%M:%S}", length


def make_visits(random: Random) -> Iterator[tuple[object, ...]]:
    for _ in range(VISITS):
        day = datetime(2023, 9, 1) + timedelta(days=random.randint(0, 90))
        seconds = min(int(random.expovariate(1 / 12)) + 1, 120)
        source = random.choices(SOURCES, (3, 2, 4, 2))[0]
        engaged = seconds > 10 and random.random() < 0.6
        visitor = f"{random.randint(0, 9999):04}"
        yield f"{day:%Y-%m-%d}", visitor, str(random.randint(1, 20)), str(seconds), source, engaged


def make_customers(random: Random, addresses: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    names = random.sample(list(product(GIVEN_NAMES, FAMILY_NAMES)), CUSTOMERS)
    contacts = sorted(random.randint(0, 59) for _ in range(CUSTOMERS))
    for identifier, (given, family), days_ago in zip(ids(random, CUSTOMERS), names, contacts, strict=True):
        contact = datetime(2023, 11, 30) - timedelta(days=days_ago)
        follow_up = contact + timedelta(days=random.randint(7, 40))
        email = f"{given}.{family}@{random.choice(COMPANIES)}.example".lower()
        phone = f"555-01{random.randint(0, 99):02}" if random.random() < 0.7 else None
        note = f"{contact:%Y-%m-%d}: {random.choice(NOTES)}" if random.random() < 0.8 else None
        yield (
            identifier, random.choice(addresses[:12]), f"{given} {family}", email, phone, f"{contact:%Y-%m-%d}",
            random.choice(PRODUCTS), random.choice(STATUSES), f"{follow_up:%Y-%m-%d}", note,
        )  # fmt: skip
