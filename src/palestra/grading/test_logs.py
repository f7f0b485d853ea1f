"""What test runners print, as an outcome for each test."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
DJANGO_NAME = re.compile(r"\w+ \([\w.]+\)")
SYMPY_TEST = re.compile(r"(test_\w+) (ok|[EFfXsw])\b")
SYMPY_TITLE = re.compile(r"_{3,} (\S+\.py):(test_\w+) _{3,}")
LONGEST_LINE = 10_000
"""Characters; what is longer is no line about one test."""


class Outcome(StrEnum):
    PASSED = "PASSED"
    FAILED = "FAILED"
    ERROR = "ERROR"
    SKIPPED = "SKIPPED"
    XFAILED = "XFAIL"


WORDS = frozenset(outcome.value for outcome in Outcome)
PASSED = frozenset({Outcome.PASSED, Outcome.XFAILED})
"""A test that is expected to fail and does counts as passed."""

DJANGO_WORDS: Mapping[str, Outcome] = MappingProxyType(
    {
        "ok": Outcome.PASSED,
        "OK": Outcome.PASSED,
        "FAIL": Outcome.FAILED,
        "ERROR": Outcome.ERROR,
        "skipped": Outcome.SKIPPED,
        "expected failure": Outcome.XFAILED,
    }
)
SYMPY_WORDS: Mapping[str, Outcome] = MappingProxyType(
    {
        "ok": Outcome.PASSED,
        "F": Outcome.FAILED,
        "E": Outcome.ERROR,
        "f": Outcome.XFAILED,
        "s": Outcome.SKIPPED,
        "w": Outcome.SKIPPED,
        "X": Outcome.FAILED,
    }
)


def pytest_outcomes(log: str) -> dict[str, Outcome]:
    """From the summary that `-rA` prints: `FAILED tests/test_a.py::test_b - AssertionError`.

    A test with several lines, as with an error after it passed, keeps the worst.
    """
    outcomes: dict[str, Outcome] = {}
    for line in lines_of(log):
        word, _, rest = line.partition(" ")
        if word not in WORDS:
            continue
        outcome, name = Outcome(word), rest.strip()
        if outcome is not Outcome.PASSED:
            # The reason follows; ids with blanks of their own do not hold this sign but in brackets.
            name = name.partition("] - ")[0] + "]" if "] - " in name else name.partition(" - ")[0]
        if name and not (outcome is Outcome.PASSED and name in outcomes):
            outcomes[name] = outcome
    return outcomes


def django_outcomes(log: str) -> dict[str, Outcome]:
    """From the verbose form: `test_a (app.tests.Case) ... ok`, or the name first and the outcome some lines later."""
    outcomes: dict[str, Outcome] = {}
    name: str | None = None
    for line in lines_of(log):
        for word in ("FAIL", "ERROR"):
            if line.startswith(f"{word}: "):
                outcomes[line.removeprefix(f"{word}: ").strip()] = DJANGO_WORDS[word]
        found = DJANGO_NAME.match(line)
        if found is not None:
            name = found[0]
        head, dots, said = line.rpartition(" ... ")
        outcome = next((DJANGO_WORDS[word] for word in DJANGO_WORDS if said.startswith(word)), None)
        if name is not None and dots and outcome is not None:
            outcomes.setdefault(name if found is not None else f"{name}\n{head}".partition("\n")[0], outcome)
            name = None
        elif name is not None and line.strip() in DJANGO_WORDS:
            outcomes.setdefault(name, DJANGO_WORDS[line.strip()])
            name = None
    return outcomes


def sympy_outcomes(log: str) -> dict[str, Outcome]:
    """From the verbose form: `test_a ok`, and the titles of failures: `___ sympy/core/tests/test_a.py:test_b ___`."""
    outcomes: dict[str, Outcome] = {}
    for line in lines_of(log):
        found, title = SYMPY_TEST.match(line), SYMPY_TITLE.match(line)
        if found is not None:
            outcomes[found[1]] = SYMPY_WORDS[found[2]]
        elif title is not None:
            outcomes[title[2]] = Outcome.FAILED
    return outcomes


def lines_of(log: str) -> list[str]:
    return [COLOUR.sub("", line) for line in log.split("\n") if len(line) <= LONGEST_LINE]


PARSERS: Mapping[str, Callable[[str], dict[str, Outcome]]] = MappingProxyType(
    {"django/django": django_outcomes, "sympy/sympy": sympy_outcomes}
)


def outcomes_in(log: str, repository: str) -> dict[str, Outcome]:
    """The outcomes in a log of a repository's tests, by the runner that the repository uses: mostly pytest."""
    return PARSERS.get(repository, pytest_outcomes)(log)
