"""Logs of test runners, and what they say of an issue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.grading.resolution import Resolution, resolution_of
from palestra.grading.test_logs import Outcome, outcomes_in

PYTEST_LOG = """\
============================= test session starts ==============================
tests/test_a.py ..F.sx                                                   [100%]
=========================== short test summary info ============================
PASSED tests/test_a.py::test_plain
PASSED tests/test_a.py::test_with[a b - c]
\x1b[32mPASSED\x1b[0m tests/test_a.py::TestCase::test_coloured
XFAIL tests/test_a.py::test_known - not yet
SKIPPED [1] tests/test_a.py:7: no network
FAILED tests/test_a.py::test_broken - AssertionError: assert 1 - 2 == 3
FAILED tests/test_a.py::test_parts[x - y] - ValueError: - no
PASSED tests/test_a.py::test_torn
ERROR tests/test_a.py::test_torn - RuntimeError: teardown
ERROR tests/test_b.py
=================== 2 failed, 4 passed, 1 skipped in 0.10s =====================
"""
DJANGO_LOG = """\
test_add (app.tests.MathTests) ... ok
test_sub (app.tests.MathTests) ... FAIL
test_slow (app.tests.MathTests) ... skipped 'no database'
test_noisy (app.tests.MathTests) ... a line of its own
ok
test_doc (app.tests.MathTests)
It says what it does. ... ok
test_later (app.tests.MathTests) ... expected failure
test_err (app.tests.MathTests) ... ERROR
======================================================================
FAIL: test_sub (app.tests.MathTests)
"""
SYMPY_LOG = """\
sympy/core/tests/test_basic.py[6]
test_structure ok
test_equality F
test_later f
test_slow s
test_broken E                                                        [FAIL]
_____________ sympy/core/tests/test_basic.py:test_titled ______________
"""


def test_pytest_summaries() -> None:
    assert outcomes_in(PYTEST_LOG, "any/repository") == {
        "tests/test_a.py::test_plain": Outcome.PASSED,
        "tests/test_a.py::test_with[a b - c]": Outcome.PASSED,
        "tests/test_a.py::TestCase::test_coloured": Outcome.PASSED,
        "tests/test_a.py::test_known": Outcome.XFAILED,
        "[1] tests/test_a.py:7: no network": Outcome.SKIPPED,
        "tests/test_a.py::test_broken": Outcome.FAILED,
        "tests/test_a.py::test_parts[x - y]": Outcome.FAILED,
        "tests/test_a.py::test_torn": Outcome.ERROR,
        "tests/test_b.py": Outcome.ERROR,
    }


def test_django_lines() -> None:
    name = "{} (app.tests.MathTests)".format
    assert outcomes_in(DJANGO_LOG, "django/django") == {
        name("test_add"): Outcome.PASSED,
        name("test_sub"): Outcome.FAILED,
        name("test_slow"): Outcome.SKIPPED,
        name("test_noisy"): Outcome.PASSED,
        name("test_doc"): Outcome.PASSED,
        name("test_later"): Outcome.XFAILED,
        name("test_err"): Outcome.ERROR,
    }


def test_sympy_lines() -> None:
    assert outcomes_in(SYMPY_LOG, "sympy/sympy") == {
        "test_structure": Outcome.PASSED,
        "test_equality": Outcome.FAILED,
        "test_later": Outcome.XFAILED,
        "test_slow": Outcome.SKIPPED,
        "test_broken": Outcome.ERROR,
        "test_titled": Outcome.FAILED,
    }


@pytest.mark.parametrize("repository", ["any/repository", "django/django", "sympy/sympy"])
@given(log=st.text(alphabet="PASED: \n.[]-()ok_", max_size=300))
def test_any_text_is_read(repository: str, log: str) -> None:
    assert all(outcome in Outcome for outcome in outcomes_in(log, repository).values())


@pytest.mark.parametrize(
    ("passed", "resolution"),
    [
        ("f1 f2 p1 p2", Resolution.FULL),
        ("f1 p1 p2", Resolution.PARTIAL),
        ("p1 p2", Resolution.NO),
        ("f1 f2 p1", Resolution.NO),
        ("f1 p1", Resolution.NO),
        ("", Resolution.NO),
    ],
)
def test_resolution(passed: str, resolution: Resolution) -> None:
    outcomes = dict.fromkeys(passed.split(), Outcome.PASSED)
    assert resolution_of(outcomes, ["f1", "f2"], ["p1", "p2"]) is resolution


def test_an_empty_list_counts_as_passed() -> None:
    passed = {"f1": Outcome.PASSED}
    assert resolution_of(passed, ["f1"], []) is Resolution.FULL
    assert resolution_of({}, ["f1"], []) is Resolution.NO
    assert resolution_of({"p1": Outcome.XFAILED}, [], ["p1"]) is Resolution.FULL
    assert resolution_of({"p1": Outcome.SKIPPED}, [], ["p1"]) is Resolution.NO
