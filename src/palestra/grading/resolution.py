"""Whether a change resolves an issue, from the tests that have to pass and the logs of test runners."""

from collections.abc import Collection, Mapping
from enum import StrEnum

from palestra.grading.test_logs import PASSED, Outcome


class Resolution(StrEnum):
    """As SWE-bench names it."""

    FULL = "RESOLVED_FULL"
    PARTIAL = "RESOLVED_PARTIAL"
    NO = "RESOLVED_NO"


def resolution_of(
    outcomes: Mapping[str, Outcome], fail_to_pass: Collection[str], pass_to_pass: Collection[str]
) -> Resolution:
    """FULL if all tests pass, PARTIAL if some of the failing ones do and nothing else broke, else NO.

    A test without an outcome did not pass. An empty list counts as all passed.
    """
    repaired, kept = ratio(outcomes, fail_to_pass), ratio(outcomes, pass_to_pass)
    if kept < 1 or repaired == 0:
        return Resolution.NO
    return Resolution.FULL if repaired == 1 else Resolution.PARTIAL


def ratio(outcomes: Mapping[str, Outcome], tests: Collection[str]) -> float:
    """The share of these tests that passed, in [0, 1]."""
    return sum(outcomes.get(test) in PASSED for test in tests) / len(tests) if tests else 1.0
