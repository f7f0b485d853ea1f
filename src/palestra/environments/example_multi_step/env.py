"""Many tool calls before one answer: look up the value of each synonym of a term, then hand in all values."""

from collections.abc import Iterator
from random import Random
from typing import Any

from pydantic import Field

import palestra
from palestra import Environment, Item, Task, Transcript, Verdict, tool
from palestra.core.task import asked
from palestra.environments.example_multi_step.vocabulary import VOCABULARY

INSTRUCTIONS = """You look up the values of words.
Below is a list of terms and their synonyms. Find the one term that the user's question is about. Call \
get_synonym_value for every synonym of that term, not for the term itself. Then call extract_synonym_values once, with \
the values in the order in which the synonyms stand in the list.
"""


class SynonymTask(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt."""
    synonyms: tuple[tuple[str, str], ...] = ()
    """Term and synonym, in the order of the list that the model reads."""
    expected_synonyms: list[str] = Field(min_length=1)
    """The synonyms that are asked about, in the order of the question."""
    expected_synonym_values: list[int] = Field(min_length=1)
    """Their values, in the same order."""
    minefield_label: str
    """The term itself, which the question may suggest instead of its synonyms."""
    minefield_label_value: int
    """Its value: handing it in is the mistake that is counted."""


class MultiStep(Environment[SynonymTask]):
    class Options(palestra.Options):
        terms: int = Field(default=12, ge=1, le=len(VOCABULARY))
        """Terms in the list of a generated task."""

    def prompt(self) -> list[Item]:
        question = asked(self.task.question, "a question")
        listed = "\n".join(f"{term}: {synonym}" for term, synonym in self.task.synonyms)
        return [
            {"role": "system", "content": f"{INSTRUCTIONS}\n{listed}"},
            {"role": "user", "content": question},
        ]

    @tool
    def get_synonym_value(self, synonym: str) -> dict[str, int]:
        """Get the value of a synonym.

        Args:
            synonym: The synonym, spelled as in the list.
        """
        return {"synonym_value": value_of(synonym)}

    @tool
    def extract_synonym_values(self, synonym_values: list[int]) -> dict[str, bool]:
        """Hand in the values of all synonyms of the term that the question is about.

        Args:
            synonym_values: The values, in the order in which the synonyms stand in the list.
        """
        return {"success": True}

    def verify(self, transcript: Transcript) -> Verdict:
        expected = self.task.expected_synonym_values
        actual, problem = handed_in(transcript)
        accurate = actual == expected
        overlap = len(set(actual) & set(expected)) / len(expected)
        minefield = self.task.minefield_label in actual or self.task.minefield_label_value in actual
        return Verdict(
            float(accurate),
            metrics={
                "parsed_synonym_values": actual,
                "accuracy": accurate,
                "set_overlap": overlap,
                "original_term_minefield_hit": minefield,
                "order_instruction_following_failure": not accurate and overlap == 1.0,
            },
            reason=problem or (None if accurate else f"expected {expected}"),
        )

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for number in range(n):
            yield make_task(Random(f"{seed}/{number}"), number, options.terms)


def value_of(word: str) -> int:
    return sum(ord(character) for character in word)


def handed_in(transcript: Transcript) -> tuple[list[Any], str | None]:
    """The values of the last extract_synonym_values call, and what is wrong with it if they cannot be read."""
    calls = transcript.calls_of("extract_synonym_values")
    if not calls:
        return [], "extract_synonym_values was never called"
    arguments = calls[-1].parsed()
    if arguments is None:
        return [], "the arguments of the last extract_synonym_values call are not a JSON object"
    values = arguments.get("synonym_values")
    # A label among the values is wrong, but readable: it counts as a hit of the minefield.
    if not isinstance(values, list) or not all(isinstance(value, str) or is_integer(value) for value in values):
        return [], "the last extract_synonym_values call has no list of values"
    return values, None


def is_integer(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def make_task(random: Random, number: int, term_count: int) -> dict[str, Any]:
    terms = random.sample(sorted(VOCABULARY), term_count)
    listed = [(term, synonym) for term in terms for synonym in VOCABULARY[term].synonyms]
    random.shuffle(listed)
    wanted = terms[0]
    expected = [synonym for term, synonym in listed if term == wanted]
    return {
        "id": number,
        "question": VOCABULARY[wanted].question,
        "synonyms": [list(pair) for pair in listed],
        "expected_synonyms": expected,
        "expected_synonym_values": [value_of(synonym) for synonym in expected],
        "minefield_label": wanted,
        "minefield_label_value": value_of(wanted),
    }
