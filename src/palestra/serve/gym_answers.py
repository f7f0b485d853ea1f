"""What NeMo Gym's servers answer when something is wrong, in their shapes."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from palestra.core.deadline import TimeLimits
from palestra.core.errors import Failure, PalestraError
from palestra.serve.asgi import Answer, Call, Handler, ServerBroke, json_answer
from palestra.serve.door import Door
from palestra.serve.refusals import Refusal
from palestra.wire.verification import FAILURE_HEADER, PROTOCOL_VERSION, VERSION_HEADER, details


def lost() -> Failure:
    """What a request of an episode gets that is gone."""
    message = "this server does not know the session (any more): seed another one"
    return Failure("host", message, code="session-lost", retryable=True)


def guarded(handler: Handler, door: Door) -> Handler:
    """The handler behind the door, in the door's time."""
    limits = TimeLimits(door.request_timeout_s)

    async def guard(call: Call) -> Answer:
        with limits.limit():
            await door.admit(call)
            return await handler(call)

    return guard


def broken(error: Exception) -> Answer | None:
    """What an exception of a handler is answered."""
    if isinstance(error, Refusal):
        return answer_of({"detail": error.message}, error.status, error.headers)
    if isinstance(error, Failure):
        return failed(error)
    if isinstance(error, PalestraError | ServerBroke):
        return answer_of(repr(error), 500)
    return answer_of("not answered in time", 504) if isinstance(error, TimeoutError) else None


def failed(failure: Failure) -> Answer:
    """A Failure over HTTP: a row that is wrong is a 422, an episode that is gone a 410, all others are 500."""
    if failure.code == "task-invalid":
        return answer_of({"detail": task_details(failure)}, 422)
    headers = {FAILURE_HEADER: f"{failure.boundary}/{failure.code}"}
    if failure.retryable:
        headers["Retry-After"] = f"{failure.retry_after_s or 0:.0f}"
    return answer_of(failure.message, 410 if failure.code == "session-lost" else 500, headers)


def task_details(failure: Failure) -> list[dict[str, Any]]:
    if isinstance(failure.__cause__, ValidationError):
        return details(failure.__cause__)
    return [{"type": "value_error", "loc": ["body"], "msg": failure.message, "input": None}]


def unknown(call: Call, status: int) -> Answer:
    """For routes that do not exist, and for methods that one does not have."""
    return answer_of({"detail": "Not Found" if status == 404 else "Method Not Allowed"}, status)


def answer_of(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return json_answer(content, status, {VERSION_HEADER: PROTOCOL_VERSION, **(headers or {})})
