"""What requests to the assistant are drawn from: colleagues, days, and the rows of the tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from types import MappingProxyType
from typing import Any, TypeAlias

from .tables import Row, Tables

TODAY = date(2023, 11, 30)
WORDS = MappingProxyType(
    {
        "total_visits": "total visits", "session_duration_seconds": "session length", "user_engaged": "engaged users",
        "visits_direct": "direct visits", "visits_referral": "visits by referral",
        "visits_search_engine": "visits from search engines", "visits_social_media": "visits from social media",
    }
)  # fmt: skip
MESSAGES = (
    "Thank you, I will read it tomorrow.", "Please call me when you have a minute.", "Let us talk about it on Monday.",
    "I agree with all of it, go ahead.", "Could you send me the figures?", "Good work, this can be closed.",
    "I need two more days for this.", "Please add it to the agenda.",
)  # fmt: skip
SUBJECTS = ("A short question", "Plan for next week", "Numbers of November", "Change of plan", "Please have a look")


@dataclass(frozen=True, slots=True)
class Request:
    """What the user wants, and the calls that do it. A request without calls is drawn anew."""

    text: str
    calls: Sequence[tuple[str, dict[str, str]]] = ()


NOTHING = Request("")
Maker: TypeAlias = "Callable[[Draw], Request]"


class Draw:
    """One request's choices."""

    def __init__(self, random: Random, tables: Tables) -> None:
        self.random = random
        self.tables = tables

    def of(self, options: Sequence[Any]) -> Any:
        return self.random.choice(options)

    def person(self) -> tuple[str, str]:
        """Given name and address of a colleague."""
        return self.named(self.of(sorted(self.tables.team.intersection(self.tables.addresses))))

    def named(self, address: str) -> tuple[str, str]:
        """Given name and address of who has an address."""
        return address.partition(".")[0].capitalize(), address

    def two(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Two colleagues."""
        first = second = self.person()
        while second == first:
            second = self.person()
        return first, second

    def emails_of(self, address: str) -> list[Row]:
        """What a colleague wrote, newest last."""
        own = [
            row for row in self.tables.emails if (row["inbox/outbox"], row["sender/recipient"]) == ("inbox", address)
        ]
        return sorted(own, key=lambda row: str(row["sent_datetime"]))

    def coming(self) -> list[Row]:
        """Events after today, first one first."""
        rows = [row for row in self.tables.events if row["event_start"][:10] > TODAY.isoformat()]
        return sorted(rows, key=lambda row: str(row["event_start"]))

    def days_ahead(self, least: int, most: int) -> date:
        return TODAY + timedelta(days=self.random.randint(least, most))

    def visits_on(self, day: date) -> int:
        return sum(row["date_of_visit"] == day.isoformat() for row in self.tables.visits)


def spoken(day: date) -> str:
    """`December 5`"""
    return f"{day:%B} {day.day}"


def day_of(moment: str) -> date:
    return date.fromisoformat(moment[:10])
