"""What NeMo Gym's servers answer when something is wrong, in their shapes."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from palestra.core.deadline import TimeLimits
from palestra.core.errors import Failure, PalestraError
from palestra.serve.door import Door
from palestra.serve.refusals import Refusal
from palestra.wire.encoding import encode
from palestra.wire.verification import FAILURE_HEADER, PROTOCOL_VERSION, VERSION_HEADER, details

Endpoint = Callable[[Request], Awaitable[Response]]


def lost() -> Failure:
    """What a request of an episode gets that is gone."""
    message = "this server does not know the session (any more): seed another one"
    return Failure("host", message, code="session-lost", retryable=True)


def guarded(endpoint: Endpoint, door: Door) -> Endpoint:
    """The endpoint behind the door; whatever it raises is answered."""
    limits = TimeLimits(door.request_timeout_s)

    async def guard(request: Request) -> Response:
        try:
            with limits.limit():
                await door.admit(request)
                return await endpoint(request)
        except Refusal as refusal:
            return json_response({"detail": refusal.message}, refusal.status, refusal.headers)
        except Failure as failure:
            return failed(failure)
        except PalestraError as error:
            return json_response(repr(error), 500)
        except TimeoutError:
            return json_response(f"not answered within {door.request_timeout_s:g} s", 504)

    return guard


def failed(failure: Failure) -> Response:
    """A Failure over HTTP: a row that is wrong is a 422, an episode that is gone a 410, all others are 500."""
    if failure.code == "task-invalid":
        return json_response({"detail": task_details(failure)}, 422)
    headers = {FAILURE_HEADER: f"{failure.boundary}/{failure.code}"}
    if failure.retryable:
        headers["Retry-After"] = f"{failure.retry_after_s or 0:.0f}"
    return json_response(failure.message, 410 if failure.code == "session-lost" else 500, headers)


def task_details(failure: Failure) -> list[dict[str, Any]]:
    if isinstance(failure.__cause__, ValidationError):
        return details(failure.__cause__)
    return [{"type": "value_error", "loc": ["body"], "msg": failure.message, "input": None}]


async def not_found(request: Request, error: Exception | None = None) -> Response:
    """For routes that do not exist, and for methods that one does not have."""
    status = getattr(error, "status_code", 404)
    return json_response({"detail": "Not Found" if status == 404 else "Method Not Allowed"}, status)


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    told = {VERSION_HEADER: PROTOCOL_VERSION, **(headers or {})}
    return Response(encode(content), status, told, media_type="application/json")
