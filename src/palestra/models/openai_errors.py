"""What an endpoint's refusal means: the Failure for a status that is not 200."""

import math
import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from palestra.core.errors import Failure
from palestra.models.openai_http import Endpoint
from palestra.transport.connection import Answer
from palestra.wire.decoded import member
from palestra.wire.encoding import decode

LONGEST_WAIT_S = 300.0
SHOWN_CHARACTERS = 300
LONGEST_WORDS = 2000

NO_ROUTE_STATUSES = (404, 405, 501)
OVERFLOW_STATUSES = (400, 413, 422, 500)
OVERFLOW = re.compile(
    r"context.?(length|window|size|limit)|maximum context|exceed_context|maximum prompt length|max(imum)?.model.len"
    r"|(prompt|input) is too long|exceeds the maximum number of (input )?tokens"
    r"|max_(completion_|output_|new_)?tokens\W.{0,60}(too large|too high|at least 1|exceed|must be <)",
    re.IGNORECASE | re.DOTALL,
)
NO_ROUTE = re.compile(
    r"(unknown|invalid|unsupported|no such|not a valid) (route|url|path|endpoint)"
    r"|(route|url|path|endpoint)\b.{0,80}(not found|unknown|does not exist|not supported)"
    r"|not supported (with|in|by|on) the responses api",
    re.IGNORECASE,
)
NO_MODEL = re.compile(r"model_not_found|\bmodel\b.{0,200}(does not exist|not found)", re.IGNORECASE | re.DOTALL)


def lacks_route(answer: Answer) -> bool:
    """The endpoint does not have this route (which says nothing about the model)."""
    text = answer.body.decode(errors="replace")
    if answer.status in NO_ROUTE_STATUSES:
        return not NO_MODEL.search(text)
    return answer.status == 400 and NO_ROUTE.search(text) is not None


def status_failure(answer: Answer, endpoint: Endpoint) -> Failure:
    """The Failure for an answer whose status is not 200."""
    status, url, words = answer.status, endpoint.url, _words(answer, endpoint)
    if status in OVERFLOW_STATUSES and OVERFLOW.search(words):
        return Failure("limit", f"{url} says that the prompt does not fit: {words}", code="context-overflow")
    if status == 429:
        return _rate_limited(answer, url, words)
    if status >= 500:
        return Failure(
            "model",
            f"{url} answered {status}: {words}",
            code="model-server-error",
            retryable=status not in (501, 505),
            retry_after_s=retry_after_s(answer),
        )
    if status in (401, 403):
        return _unauthorized(status, endpoint, words)
    return _refused(status, url, words, endpoint.clean(answer.header("Location")))


def bad_reply(what: str, body: bytes, endpoint: Endpoint, *, retryable: bool = True) -> Failure:
    """The Failure for a 200 that cannot be read; it shows how the body starts."""
    start = endpoint.text(body)[:SHOWN_CHARACTERS]
    message = f"{endpoint.url} answered with no valid reply ({endpoint.clean(what)}): {start}"
    return Failure("model", message, code="model-bad-reply", retryable=retryable)


def retry_after_s(answer: Answer) -> float | None:
    """The wait that the endpoint asks for, at most five minutes; None if it does not say."""
    milliseconds = _number(answer.header("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    value = answer.header("Retry-After")
    seconds = _number(value)
    if seconds is not None:
        return _bounded(seconds)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # "-0000" is UTC of an unknown place, which Python reads as local time.
    return _bounded((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time())


def _unauthorized(status: int, endpoint: Endpoint, words: str) -> Failure:
    refused = "the API key" if endpoint.has_key else "a request without API key"
    message = f"{endpoint.url} refused {refused} ({status}): {words}"
    return Failure("model", message, code="model-unauthorized", fatal=True)


def _refused(status: int, url: str, words: str, location: str) -> Failure:
    if status in (404, 405):
        return Failure("model", f"{url} has no such route or model: {words}", code="model-not-found", fatal=True)
    if status < 400:
        message = f"{url} answered {status} instead of a reply, pointing to {location!r}"
        return Failure("model", message, code="model-not-found", fatal=True)
    if status == 408:
        return Failure("model", f"{url} answered 408: {words}", code="model-timeout", retryable=True)
    # 402: there is no money left, for no rollout.
    message = f"{url} rejected the request ({status}): {words}"
    return Failure("model", message, code="model-rejected-request", fatal=status == 402)


def _rate_limited(answer: Answer, url: str, words: str) -> Failure:
    spent = b"insufficient_quota" in answer.body
    return Failure(
        "model",
        f"{url} answered 429: {words}",
        code="model-rate-limited",
        retryable=not spent,
        retry_after_s=None if spent else retry_after_s(answer),
        fatal=spent,
    )


def _words(answer: Answer, endpoint: Endpoint) -> str:
    """What the endpoint says, in one line: its error message where there is one, else the body."""
    try:
        said = _message(decode(answer.body))
    except ValueError:
        said = None
    text = endpoint.clean(said) if said else endpoint.text(answer.body)
    return " ".join(text[: 2 * LONGEST_WORDS].split())[:LONGEST_WORDS] or "(no text)"


def _message(document: Any) -> str | None:
    error = member(document, "error")
    for said in (member(error, "message"), error, member(document, "message"), member(document, "detail")):
        if isinstance(said, str) and said:
            code = member(error, "code")
            return f"{said} [{code}]" if isinstance(code, str) and code not in said else said
    return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT_S)
