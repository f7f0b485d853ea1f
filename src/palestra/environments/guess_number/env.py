"""A conversation that the environment leads: guess its number, told only "higher" or "lower"."""

import math
import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from pydantic import Field, model_validator

import palestra
from palestra import Environment, Item, Step, Task, Transcript, Verdict
from palestra.core.transcript import is_assistant_message, item_text, user_message
from palestra.grading.answers import without_reasoning

NUMBER = re.compile(r"-?\b\d{1,18}\b", re.ASCII)
NARROWING_SHARE = 0.5
"""What can be earned without finding the number."""


class NumberTask(Task):
    low: int = 1
    """The smallest number it may be."""
    high: int
    """The largest number it may be."""
    secret: int
    """The number."""
    max_guesses: int = Field(ge=1)
    """The episode ends after so many."""

    @model_validator(mode="after")
    def possible(self) -> "NumberTask":
        if not self.low <= self.secret <= self.high or self.low == self.high:
            raise ValueError(f"secret {self.secret} must be in {self.low}..{self.high}, and there must be a choice")
        return self


class GuessNumber(Environment[NumberTask]):
    class Options(palestra.Options):
        high: int = Field(default=100, ge=2)
        """The largest number of generated tasks."""

    def prompt(self) -> str:
        return (
            f"I am thinking of a whole number from {self.task.low} to {self.task.high}. "
            f"You have {self.task.max_guesses} guesses; after each I say whether my number is higher or lower.\n"
            "End every reply with a line that holds your guess and no other number."
        )

    def setup(self) -> None:
        self.lowest, self.highest = self.task.low, self.task.high
        self.guesses = 0
        self.found = False

    async def step(self, items: Sequence[Item]) -> Step:
        outputs = (await super().step(items)).items
        before = self.progress()
        hint = self.answer_to(read_guess(items))
        self.guesses += 1
        left = self.task.max_guesses - self.guesses
        reward = self.progress() - before
        if self.found or left == 0:
            return Step(outputs, done=True, reward=reward)
        message = user_message(f"{hint} You have {left} {'guess' if left == 1 else 'guesses'} left.")
        return Step((*outputs, message), reward=reward)

    def answer_to(self, guess: int | None) -> str:
        """Take in a guess, and say what is to be said about it."""
        if guess is None:
            return "I found no guess: the last line must hold exactly one whole number."
        if guess == self.task.secret:
            self.found = True
            return "Found."
        if guess < self.task.secret:
            self.lowest = max(self.lowest, guess + 1)
            return "Higher."
        self.highest = min(self.highest, guess - 1)
        return "Lower."

    def progress(self) -> float:
        """From 0, nothing known, to 1, found. Steps earn its growth, so that their sum depends on the end alone."""
        if self.found:
            return 1.0
        possible = self.highest - self.lowest + 1
        return NARROWING_SHARE * (1 - math.log(possible) / math.log(self.task.high - self.task.low + 1))

    def verify(self, transcript: Transcript) -> Verdict:
        # Rounded because differences of logarithms may add up to a hair more than 1.
        return Verdict(
            round(math.fsum(transcript.step_rewards), 9),
            metrics={"found": self.found, "guesses": self.guesses},
            reason=None if self.found else f"not found; between {self.lowest} and {self.highest} in the end",
        )

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for number in range(n):
            secret = Random(f"{seed}/{number}").randint(1, options.high)
            # Halving the range always finds the number with so many guesses.
            yield {"low": 1, "high": options.high, "secret": secret, "max_guesses": options.high.bit_length()}


def read_guess(items: Sequence[Item]) -> int | None:
    """The only number in the last line of the reply; the prompt's last line holds none, so an echo is no guess."""
    reply = without_reasoning("".join(item_text(item) for item in items if is_assistant_message(item))).strip()
    numbers = NUMBER.findall(reply.rpartition("\n")[2])
    return int(numbers[0]) if len(numbers) == 1 else None
