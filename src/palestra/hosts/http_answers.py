"""What a resources server's answers mean: a verdict, or the Failure that they stand for."""

import math
from collections.abc import Mapping
from typing import Any, cast, get_args

from palestra.core.error_codes import ERRORS
from palestra.core.errors import Boundary, Failure, boundary
from palestra.core.session import Step
from palestra.core.task import BOOKKEEPING
from palestra.core.verdict import RESERVED, Verdict
from palestra.hosts.http_connection import Answer
from palestra.wire.encoding import decode
from palestra.wire.rows import FAILURE_CLASS
from palestra.wire.verification import COMPONENTS, REASON

PROTOCOL_PREFIX = "_ng_"
"""Fields of the protocol, not of the environment, start so."""

OVERLOADED_STATUSES = (429, 502, 503, 504)
LONGEST_WORDS = 2000
SHOWN_DETAILS = 5


def check_seeded(answer: Answer, server: str) -> None:
    """Raises Failure if the answer to /seed_session says that no episode was opened."""
    if 200 <= answer.status < 300:
        return
    check_answer(answer, f"{server}: /seed_session")
    _check_reached(answer, f"{server}: /seed_session")
    if answer.status == 422:
        raise _invalid_row(answer, server)
    raise Failure("environment", f"{server}: /seed_session answered {answer.status}: {_words(answer)}")


def check_answer(answer: Answer, route: str) -> None:
    """Raises the Failure that a server of ours says its answer is, if it does."""
    boundary_name, _, code = answer.failure.partition("/")
    if answer.status < 400 or boundary_name not in get_args(Boundary) or code not in ERRORS:
        return
    at = cast("Boundary", boundary_name)
    raise Failure(at, f"{route}: {_words(answer)}", code=code, retryable=code == "session-lost")


def seeded_object(answer: Answer) -> dict[str, Any]:
    """What /seed_session answered; empty if it is no object, which some servers have nothing to say in."""
    try:
        document = decode(answer.body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def step_of(answer: Answer, server: str) -> Step:
    """What /step answered. Raises Failure."""
    route = f"{server}: /step"
    if not 200 <= answer.status < 300:
        check_answer(answer, route)
        _check_reached(answer, route)
        raise Failure("environment", f"{route} answered {answer.status}: {_words(answer)}")
    document = document_of(answer, route, "environment")
    done: object = document.get("done")
    seen: list[Any] = document["obs"] if isinstance(document.get("obs"), list) else [document.get("obs")]
    if not all(isinstance(item, dict) for item in seen):
        raise Failure("environment", f"{route} answered with obs that are no items: {str(seen)[:100]!r}")
    if not isinstance(done, bool):
        raise Failure("environment", f"{route} answered with done = {str(done)[:100]!r}")
    with boundary("environment"):
        reward = _number("reward", document.get("reward")) if document.get("has_reward", True) else None
    return Step(tuple(seen), done=done, reward=reward)


def verdict_of(answer: Answer, row: Mapping[str, Any], server: str) -> Verdict:
    """The verdict in an answer to /verify of a row. Raises Failure."""
    if not 200 <= answer.status < 300:
        raise _unjudged(answer, server)
    document = document_of(answer, f"{server}: /verify", "verifier")
    failure_class = document.get(FAILURE_CLASS)
    if failure_class:
        raise Failure("judge", f"{server}: {failure_class}: {_failure_words(document)}")
    with boundary("verifier"):
        # A server of ours repeats nothing of the row: all that it says is its own.
        return read_verdict(document, {} if answer.is_ours else row)


def read_verdict(document: Mapping[str, Any], row: Mapping[str, Any]) -> Verdict:
    """The verdict in the JSON of a judged row. Raises ValueError if it holds none.

    What the server adds to the row becomes metrics. A component is a column of its own name already, so a metric
    of that name is left out.
    """
    if "reward" not in document:
        raise ValueError(f"/verify answered without a reward; it has {sorted(document)[:20]}")
    reward = _number("reward", document["reward"])
    parts = document.get(COMPONENTS)
    if not isinstance(parts, dict | None):
        raise ValueError(f"{COMPONENTS} must be an object of numbers, got {str(parts)[:100]!r}")
    components = {
        name: _number(f"{COMPONENTS}.{name}", value) for name, value in cast("dict[str, Any]", parts or {}).items()
    }
    skipped = RESERVED | BOOKKEEPING | components.keys() | {COMPONENTS, REASON}
    metrics = {
        name: value
        for name, value in document.items()
        if name not in skipped and not name.startswith(PROTOCOL_PREFIX) and not (name in row and row[name] == value)
    }
    reason = document.get(REASON)
    return Verdict(reward, components, metrics, reason if isinstance(reason, str) else None)


def _number(name: str, value: Any) -> float:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {str(value)[:100]!r}")
    return number


def document_of(answer: Answer, route: str, at: Boundary) -> dict[str, Any]:
    """The JSON object of an answer. Raises Failure (`at`) if it is none."""
    if answer.is_cut:
        raise Failure(at, f"{route} answered with more than {len(answer.body)} bytes")
    try:
        document = decode(answer.body)
    except ValueError as error:
        raise Failure(at, f"{route} answered with no valid JSON ({error}): {_words(answer)[:300]}") from error
    if not isinstance(document, dict):
        raise Failure(at, f"{route} answered with no object: {_words(answer)[:300]}")
    return cast("dict[str, Any]", document)


def _unjudged(answer: Answer, server: str) -> Failure:
    check_answer(answer, f"{server}: /verify")
    _check_reached(answer, f"{server}: /verify")
    if answer.status == 422:
        return _invalid_row(answer, server)
    return Failure("verifier", f"{server}: /verify answered {answer.status}: {_words(answer)}")


def _check_reached(answer: Answer, route: str) -> None:
    """Raises Failure (`host`) if something in front of the environment answered, not the environment."""
    said = f"{route} answered {answer.status}"
    if answer.status < 400:
        raise Failure("host", f"{said}, pointing to {answer.location[:300]!r}; give that URL if it is the server's")
    if answer.status in (401, 403):
        raise Failure("host", f"{said}: the token is missing or refused: {_words(answer)}", fatal=True)
    if answer.status in (404, 405):
        raise Failure("host", f"{said}: this URL is no resources server: {_words(answer)}")
    if answer.status in OVERLOADED_STATUSES:
        raise Failure("host", f"{said}: {_words(answer)}", retryable=True)


def _invalid_row(answer: Answer, server: str) -> Failure:
    """The Failure for a 422: it names the fields that the server does not take."""
    entries = _details(answer)
    if entries and all(_field(entry).startswith("response.") for entry in entries):
        # The row is sound then; what the model said has a shape that this server does not know.
        return Failure("verifier", f"{server} does not take the response: {_summary(entries)}")
    what = _summary(entries) if entries else _words(answer)
    return Failure("environment", f"{server} does not take the row: {what}", code="task-invalid")


def _details(answer: Answer) -> list[dict[str, Any]]:
    """The entries of a validation error, as `{"detail": [{"loc": [...], "msg": ..., "input": ...}, ...]}`."""
    try:
        document = decode(answer.body)
    except ValueError:
        return []
    detail = cast("dict[str, Any]", document).get("detail") if isinstance(document, dict) else None
    entries = cast("list[Any]", detail) if isinstance(detail, list) else []
    objects = [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]
    return [entry for entry in objects if isinstance(entry.get("loc"), list)]


def _summary(entries: list[dict[str, Any]]) -> str:
    """`field: what is wrong (got value)` of at most five entries, in one line."""
    lines = [f"{_field(entry)}: {entry.get('msg')}{_got(entry)}" for entry in entries[:SHOWN_DETAILS]]
    more = len(entries) - SHOWN_DETAILS
    return " ".join("; ".join(lines).split())[:LONGEST_WORDS] + (f"; and {more} more" if more > 0 else "")


def _field(entry: dict[str, Any]) -> str:
    location = [str(part) for part in entry["loc"]]
    return ".".join(location[1:] if location[:1] == ["body"] else location) or "row"


def _got(entry: dict[str, Any]) -> str:
    # The input of a missing field is the whole object that lacks it.
    value = entry.get("input")
    return "" if value is None or isinstance(value, dict | list) else f" (got {str(value)[:80]!r})"


def _failure_words(document: Mapping[str, Any]) -> str:
    """What the server says of a judge that failed, in one line."""
    texts = [
        value
        for name, value in document.items()
        if name.startswith("_ng_failure") and name != FAILURE_CLASS and isinstance(value, str)
    ]
    return " ".join(" ".join(texts).split())[:LONGEST_WORDS] or "(no text)"


def _words(answer: Answer) -> str:
    """The body in one line; a body that is one JSON string, as servers send for an exception, without its quotes."""
    try:
        said = decode(answer.body)
    except ValueError:
        said = None
    text = said if isinstance(said, str) else answer.text
    return " ".join(text[: 2 * LONGEST_WORDS].split())[:LONGEST_WORDS] or "(no text)"
