"""Errors name a code and a fix, failures a boundary; both survive the way out of another process."""

import asyncio
import pickle

import pytest

from palestra import Failure, PalestraError
from palestra.core.error_codes import ERRORS
from palestra.core.errors import DEFAULT_CODES, boundary, describe, suggestion


def attributed(error: BaseException) -> Failure:
    with pytest.raises(Failure) as caught, boundary("verifier"):
        raise error
    return caught.value


def test_what_escapes_is_attributed_to_the_boundary() -> None:
    failure = attributed(ValueError("no number"))
    assert (failure.boundary, failure.code, failure.message) == ("verifier", "verifier-error", "ValueError: no number")
    assert isinstance(failure.__cause__, ValueError)


def test_what_is_attributed_already_keeps_its_boundary() -> None:
    inner = Failure("judge", "down", retryable=True)
    assert attributed(inner) is inner
    with pytest.raises(PalestraError), boundary("verifier"):
        raise PalestraError("usage", "no role")


def test_a_code_can_be_given() -> None:
    with pytest.raises(Failure) as caught, boundary("environment", code="task-invalid"):
        raise KeyError("x")
    assert caught.value.code == "task-invalid"


def test_a_library_that_exits_does_not_end_the_run() -> None:
    assert attributed(SystemExit(3)).message == "SystemExit: 3"


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_stopping_is_no_failure(error: type[BaseException]) -> None:
    with pytest.raises(error), boundary("verifier"):
        raise error


def test_every_boundary_has_a_code_and_every_code_a_fix() -> None:
    assert set(DEFAULT_CODES.values()) <= set(ERRORS)
    assert all(explanation.cause and explanation.fix for explanation in ERRORS.values())


def test_a_failure_survives_pickling_with_all_it_says() -> None:
    failure = Failure("judge", "down", code="worker-died", retryable=True, retry_after_s=3.0, fatal=True)
    again = pickle.loads(pickle.dumps(failure))
    assert (type(again), vars(again), str(again)) == (Failure, vars(failure), str(failure))


def test_an_error_of_the_user_survives_pickling() -> None:
    error = PalestraError("usage", "wrong", fix="do this")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again), str(again)) == (PalestraError, vars(error), str(error))


def test_an_error_says_what_to_do() -> None:
    assert str(PalestraError("missing-file", "x.jsonl is missing")) == (
        "x.jsonl is missing\n  what to do: Check the path; relative paths start at the current folder.  [missing-file]"
    )


def test_a_description_is_one_bounded_line() -> None:
    assert describe(ValueError("a\n  b")) == "ValueError: a b"
    assert describe(ValueError()) == "ValueError"
    assert len(describe(ValueError("x" * 10_000))) == 2000


def test_the_nearest_name_is_suggested() -> None:
    assert suggestion("mqca", ["mcqa", "math"]) == " Did you mean 'mcqa'?"
    assert suggestion("zzz", ["mcqa"]) == ""
