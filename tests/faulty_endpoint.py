"""What can go wrong with the answers of an endpoint, and handlers that answer so at a share of their calls."""

from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any

from tests.simulated_endpoint import Answer, Handler, Request, chat_completion, response

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"

LONG_BODY = b" " * 50_000_000
LONGER_THAN_ANY_CALL_S = 3600.0

FAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "429 with Retry-After": Answer({"error": {"message": "slow down"}}, 429, {"Retry-After": "0.1"}),
        "429": Answer({"error": {"message": "slow down"}}, 429),
        "500": Answer({"error": {"message": "oops"}}, 500),
        "reset": Answer(broken="reset"),
        "half a body": Answer(broken="half"),
        "no HTTP": Answer(broken="garbage"),
        "no JSON": Answer("<html>Bad Gateway</html>"),
        "wrong schema": {CHAT: {"choices": [{"message": {"content": 7}}]}, RESPONSES: {"output": [{"id": "x"}]}},
        "error body": Answer({"error": {"message": "overloaded", "code": 529}}),
        "empty choices": {CHAT: chat_completion() | {"choices": []}, RESPONSES: response() | {"output": None}},
        "50 MB": Answer(LONG_BODY),
        "empty body": Answer(b""),
        "no answer": Answer(broken="silent"),
        "hang": Answer(delay_s=LONGER_THAN_ANY_CALL_S),
    }
)
"""Answers by the name of the fault; a mapping holds one for each route."""

CODES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("429 with Retry-After", "429"), "model-rate-limited"),
        "500": "model-server-error",
        **dict.fromkeys(("reset", "half a body", "no answer"), "model-unreachable"),
        "hang": "model-timeout",
    }
)
"""The class of each fault; of all others it is model-bad-reply."""


class Faulty:
    """Handlers of both routes that say `reply`, and one of the `faults` instead at a share of all calls.

    Which call gets which depends on its number and `seed` alone. `hit` counts the faults that were answered.
    """

    def __init__(self, reply: str, faults: Sequence[str], *, share: float = 0.2, seed: int = 0) -> None:
        self.replies = {CHAT: chat_completion(reply), RESPONSES: response(text=reply)}
        self.faults = faults
        self.share = share
        self.seed = seed
        self.hit = 0

    @property
    def handlers(self) -> dict[str, Handler]:
        return dict.fromkeys((CHAT, RESPONSES), self.answer)

    def answer(self, request: Request) -> Any:
        random = Random(f"{self.seed} {request['number']}")
        if random.random() >= self.share:
            return self.replies[request["path"]]
        self.hit += 1
        fault = FAULTS[random.choice(self.faults)]
        return fault if isinstance(fault, Answer) else fault[request["path"]]
