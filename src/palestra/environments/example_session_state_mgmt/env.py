"""State that lives as long as the episode: a counter that tools change and read."""

from collections.abc import Iterator
from random import Random
from typing import Any

from pydantic import Field

import palestra
from palestra import Environment, Task, Transcript, Verdict, tool
from palestra.core.task import asked

REQUESTS = (
    "The shelf already holds some jars: {changes}. How many are there now?",
    "Please keep the tally: {changes}. Then tell me where it stands.",
    "{changes}, then read the counter to me.",
    "We are counting visitors: {changes}. What is the count?",
)


LARGEST_CHANGE = 10**12
"""The counter becomes a column of the run's metrics, so it has to stay a number that a float can hold."""


class CounterTask(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt."""
    initial_count: int
    """Where the counter starts."""
    expected_count: int
    """Where it must end."""


class SessionState(Environment[CounterTask]):
    class Options(palestra.Options):
        changes: int = Field(default=4, ge=1, le=50)
        """The most changes that a generated task asks for."""
        largest: int = Field(default=50, ge=1)
        """The largest amount of one change."""

    def prompt(self) -> str:
        return asked(self.task.question, "a question")

    def setup(self) -> None:
        self.count = self.task.initial_count

    @tool
    def increment_counter(self, count: int) -> dict[str, bool]:
        """Add to the counter.

        Args:
            count: How much to add; negative to take away.
        """
        if abs(count) > LARGEST_CHANGE:
            raise ValueError(f"count must be between {-LARGEST_CHANGE} and {LARGEST_CHANGE}")
        self.count += count
        return {"success": True}

    @tool
    def get_counter_value(self) -> dict[str, int]:
        """Read the counter."""
        return {"count": self.count}

    def verify(self, transcript: Transcript) -> Verdict:
        right = self.count == self.task.expected_count
        reason = None if right else f"the counter is at {self.count}, not at {self.task.expected_count}"
        return Verdict(float(right), metrics={"final_count": self.count}, reason=reason)

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for number in range(n):
            yield make_task(Random(f"{seed}/{number}"), options)


def make_task(random: Random, options: SessionState.Options) -> dict[str, Any]:
    initial = random.randint(0, options.largest)
    amounts = [random.randint(1, options.largest) for _ in range(random.randint(1, options.changes))]
    # The first change is an addition and later ones take away less in sum, so doing nothing is never right.
    signed = amounts[:1]
    for amount in amounts[1:]:
        signed.append(-amount if amount < sum(signed) and random.random() < 0.3 else amount)
    changes = ", then ".join(f"add {amount}" if amount > 0 else f"take away {-amount}" for amount in signed)
    request = random.choice(REQUESTS).format(changes=changes)
    return {
        "question": request[0].upper() + request[1:],
        "initial_count": initial,
        "expected_count": initial + sum(signed),
    }
