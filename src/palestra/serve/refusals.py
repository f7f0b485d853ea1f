"""What a server answers instead of a reply: a status and OpenAI's error object."""

from types import MappingProxyType
from typing import Any

from palestra.core.errors import Failure

STATUSES = MappingProxyType(
    {
        "context-overflow": (400, "context_length_exceeded"),
        "model-rejected-request": (400, None),
        "model-without-tools": (400, None),
        "model-unauthorized": (401, "invalid_api_key"),
        "model-not-found": (404, "model_not_found"),
        "model-rate-limited": (429, "rate_limit_exceeded"),
        "model-timeout": (504, None),
    }
)
"""Status and OpenAI's code of a failed model call, by its own code; all others are 502."""


class Refusal(Exception):
    """A request that gets no reply."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
        closes: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:.0f}"}
        if closes:
            # What else comes on this connection is the rest of a body that nobody reads.
            self.headers["Connection"] = "close"

    @classmethod
    def of(cls, failure: Failure) -> "Refusal":
        """What a failed model call is over HTTP; the failure's own code stands in its message."""
        status, code = STATUSES.get(failure.code, (502, None))
        return cls(status, f"{failure.message} [{failure.code}]", code=code, retry_after_s=failure.retry_after_s)

    def body(self) -> dict[str, Any]:
        kind = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
        default = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": self.message, "type": kind.get(self.status, default), "param": self.param}
        return {"error": {**error, "code": self.code}}
