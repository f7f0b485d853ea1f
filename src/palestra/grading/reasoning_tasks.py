"""Scoring an answer with the scorers of the reasoning-gym package. Runs in a grading worker, never in an environment.

The package's scorers hand some answers to `eval` and to sympy's parser, which evaluates Python. Nothing but literals
and arithmetic gets there from here. A few scorers pay for answers that are wrong; `WRONGLY_PAID` says which.
"""

import ast
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import Any

from palestra.core.errors import describe, suggestion

Entry = Mapping[str, Any]
"""A row as the package's scorers want it: question, answer, metadata."""


@dataclass(frozen=True, slots=True)
class Score:
    """What an answer is worth, and why if the package's scorer did not decide it."""

    value: float
    reason: str | None = None


NOT_SCORED = "composite"
"""The package's mixture of datasets; its entries name the dataset they come from."""

EVALUATES_ANSWERS = ("binary_matrix", "spiral_matrix", "string_insertion", "n_queens", "number_sorting")
PARSES_ANSWERS = frozenset(
    {"polynomial_multiplication", "simple_integration", "intermediate_integration", "countdown", "puzzle24"}
)
EVALUATED_FIELDS = MappingProxyType(
    {"simple_integration": "integrand", "intermediate_integration": "integrand", "bitwise_arithmetic": "problem"}
)
"""Metadata that the scorers evaluate."""

FUNCTIONS = frozenset(
    {
        "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh",
        "asinh", "acosh", "atanh", "exp", "log", "ln", "sqrt", "pi", "Abs", "Rational",
    }
)  # fmt: skip
# Possessive, so that a long text that does not match is read once.
EXPRESSION = re.compile(r"(?:[-+*/^(),\s]|<<|>>|0x[0-9a-fA-F]++|[0-9]++(?:\.[0-9]*+)?|\.[0-9]++|[^\W\d_]++)*+")
WORD = re.compile(r"0x[0-9a-fA-F]+|([^\W\d_]+)")
NOT_A_NUMBER = re.compile(r"\b(?:nan|[+-]?inf|infinity|zoo|oo)\b", re.IGNORECASE)

FULL_RANGE = MappingProxyType({"word_ladder": {"min_word_length": 3, "max_word_length": 5}})
"""Settings with which one scorer serves the rows of every difficulty."""


def preload() -> None:
    """Import the package and take `eval` away from the scorers that give answers to it."""
    datasets = registry()
    for name in EVALUATES_ANSWERS:
        importlib.import_module(datasets[name][0].__module__).__dict__["eval"] = ast.literal_eval


def registry() -> dict[str, Any]:
    """The package's datasets: name to (class, configuration class)."""
    importlib.import_module("reasoning_gym")
    return importlib.import_module("reasoning_gym.factory").DATASETS


def score(answer: str, entry: Entry) -> Score:
    """The score of an answer. Raises ValueError if the row cannot be scored, whatever the answer."""
    name = entry["metadata"]["source_dataset"]
    if name not in registry() or name == NOT_SCORED:
        raise ValueError(f"metadata.source_dataset is {name!r}, no reasoning-gym task.{suggestion(name, registry())}")
    require_arithmetic_fields(name, entry)
    refusal = reason_to_refuse(name, answer, entry)
    if refusal:
        return Score(0.0, refusal)
    scorer = scorer_of(name, entry)
    try:
        return Score(float(scorer(answer, scorable(name, entry))))
    except Exception as error:
        # Is it the answer that the scorer cannot stand, or the row? A row whose own answer breaks it is no task.
        scorer(gold_answer(entry), scorable(name, entry))
        return Score(0.0, f"the scorer of {name} cannot read the answer: {describe(error)[:200]}")


def score_of_gold(entry: Entry) -> Score:
    """The score of the row's own answer."""
    return score(gold_answer(entry), entry)


def gold_answer(entry: Entry) -> str:
    """The row's own answer; where a task has many and names none, the smallest text its scorer must be able to read."""
    gold = entry.get("answer")
    return gold if isinstance(gold, str) else "[]"


def scorer_of(name: str, entry: Entry) -> Callable[[str, Any], float]:
    settings = {**FULL_RANGE.get(name, {}), **entry["metadata"].get("scorer_config", {})}
    return dataset_with(name, tuple(sorted(settings.items()))).score_answer


@cache
def dataset_with(name: str, settings: tuple[tuple[str, Any], ...]) -> Any:
    dataset_class, config_class = registry()[name]
    return dataset_class(config=config_class(**dict(settings)))


def scorable(name: str, entry: Entry) -> dict[str, Any]:
    """A copy of the row with what JSON cannot hold put back: the scorers of grids compare tuples."""
    metadata = dict(entry["metadata"])
    if name in ("arc_agi", "rearc"):
        metadata["output"] = tuple(tuple(row) for row in metadata["output"])
    return {"question": entry["question"], "answer": entry.get("answer"), "metadata": metadata}


def require_arithmetic_fields(name: str, entry: Entry) -> None:
    """Refuse a row that would have its scorer evaluate anything else. Raises ValueError."""
    field = EVALUATED_FIELDS.get(name)
    text = entry["metadata"][field] if field else entry.get("answer") if name == "polynomial_multiplication" else ""
    if not is_expression(str(text)):
        raise ValueError(f"{field or 'answer'} of this {name} row is evaluated and must be arithmetic: {text!r:.200}")


def reason_to_refuse(name: str, answer: str, entry: Entry) -> str | None:
    """Why an answer is worth nothing before any scorer sees it, or None."""
    gold = entry.get("answer")
    if not answer.strip():
        return "the reply has no answer"
    question = entry["question"].strip()
    if question and question in answer:
        return "the answer repeats the question"
    if NOT_A_NUMBER.search(answer) and not (isinstance(gold, str) and NOT_A_NUMBER.search(gold)):
        # Comparisons with NaN make some scorers pay in full.
        return "the answer is not a number"
    if name in PARSES_ANSWERS and not is_expression(answer):
        return "the answer is no arithmetic expression"
    wrongly_paid = WRONGLY_PAID.get(name)
    return wrongly_paid(answer, entry) if wrongly_paid else None


def is_expression(text: str) -> bool:
    """Whether a text holds numbers, operators, single letters and known functions, and so is safe to evaluate."""
    if not EXPRESSION.fullmatch(text):
        return False
    return all(not word or len(word) == 1 or word in FUNCTIONS for word in WORD.findall(text))


def unequal_text(answer: str, entry: Entry) -> str | None:
    """game_of_life_halting takes any text for "True", because it asks for its truth value."""
    return None if answer.strip().lower() == str(entry["answer"]).lower() else "it is not the expected answer"


def unequal_probability(answer: str, entry: Entry) -> str | None:
    """coin_flip pays for a common prefix, in full if the answer is a prefix: "0" for "0.375"."""
    expected = Fraction(str(entry["answer"]))
    try:
        near = abs(Fraction(answer.replace(",", "")) - expected) <= Fraction(1, 10_000)
    except (ValueError, ZeroDivisionError):
        return "the answer is not a number"
    return None if near else "it is not the expected probability"


def other_numbers(answer: str, entry: Entry) -> str | None:
    """puzzle24 does not look whether the numbers are those of the puzzle, and cuts off decimals."""
    used = sorted(map(int, re.findall(r"[0-9]{1,9}", answer)))
    same = "." not in answer and used == sorted(entry["metadata"]["numbers"])
    return None if same else "it does not use the numbers of the puzzle"


def unequal_negative(answer: str, entry: Entry) -> str | None:
    """calendar_arithmetic divides by the expected number, so that a negative one makes wrong answers worth millions."""
    gold = str(entry["answer"]).strip()
    return None if not gold.startswith("-") or answer.strip() == gold else "it is not the expected answer"


WRONGLY_PAID: MappingProxyType[str, Callable[[str, Entry], str | None]] = MappingProxyType(
    {
        "game_of_life_halting": unequal_text,
        "coin_flip": unequal_probability,
        "puzzle24": other_numbers,
        "calendar_arithmetic": unequal_negative,
    }
)
"""Tasks whose scorer pays for some wrong answers; each function says why an answer is one of them."""
