"""A small real resources server on the loopback: a counter whose state lives as long as a cookie session."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict

from tests.simulated_endpoint import Answer, Handler, Request, SimulatedEndpoint

COOKIE = "CounterResourcesServer___counter"

PARAM_NAMES = frozenset({
    "input", "background", "include", "instructions", "max_output_tokens", "max_tool_calls", "top_logprobs",
    "metadata", "model", "previous_response_id", "user", "parallel_tool_calls", "prompt", "reasoning", "text",
    "service_tier", "store", "temperature", "top_p", "tool_choice", "tools", "truncation", "stream",
})  # fmt: skip
"""All fields of `responses_create_params`; others are refused."""
REQUIRED_OF_ITEMS = {
    "message": ("id", "content", "role", "status"),
    "function_call": ("arguments", "call_id", "name"),
    "function_call_output": ("call_id", "output"),
    "reasoning": ("id", "summary"),
}
NOT_FOUND = Answer({"detail": "Not Found"}, status=404)


@dataclass
class Episode:
    """One session: its number, its counter, and the cookie that the next request must bring."""

    number: int
    count: int
    cookie: str = ""
    answers: int = 0

    def renewed(self) -> str:
        """The next cookie. It is valid once, has `=` and quotes inside and must come back as it is."""
        self.answers += 1
        payload = b64encode(json.dumps({"session_id": self.number}).encode()).decode()
        self.cookie = f'{COOKIE}="{payload}.{self.answers}.s=="'
        return self.cookie


class SimulatedEnvironmentServer(SimulatedEndpoint):
    """`async with SimulatedEnvironmentServer() as server:` - `overrides` answer routes instead of the counter.

    Rows need `initial_count` and `expected_count`; /verify answers with the fields of its response model only.
    Each answer renews the session's cookie; a request with any other cookie is in a fresh session, as on a real one.
    """

    def __init__(self, overrides: Mapping[str, Handler] | None = None, *, delay_s: float = 0.0) -> None:
        own: dict[str, Handler] = {
            "/seed_session": self.seed_session,
            "/increment_counter": self.increment_counter,
            "/get_counter_value": self.get_counter_value,
            "/raise_error": lambda request: self.answered(request, "ValueError('x')", status=500),
            "/verify": self.verify,
        }
        super().__init__({**own, **(overrides or {})})
        self.delay_s = delay_s
        self.episodes: list[Episode] = []

    @property
    def url(self) -> str:
        return self.base_url.removesuffix("/v1")

    @property
    def paths(self) -> list[str]:
        return [request["path"] for request in self.requests]

    def seed_session(self, request: Request) -> Answer:
        body = request["body"]
        wrong = [
            wrong_field("responses_create_params", name, kind="extra_forbidden", value=value)
            for name, value in body.get("responses_create_params", {}).items()
            if name not in PARAM_NAMES
        ]
        if not isinstance(body.get("initial_count"), int):
            wrong.append(wrong_field("initial_count"))
        if wrong:
            return Answer({"detail": wrong}, status=422)
        episode = self.opened()
        episode.count = body["initial_count"]
        return self.given(episode, {})

    def increment_counter(self, request: Request) -> Answer:
        count = request["body"].get("count")
        if not isinstance(count, int):
            return self.answered(request, {"detail": [wrong_field("count")]}, status=422)
        episode = self.episode_of(request)
        episode.count += count
        return self.given(episode, {"success": True})

    def get_counter_value(self, request: Request) -> Answer:
        episode = self.episode_of(request)
        return self.given(episode, {"count": episode.count})

    def verify(self, request: Request) -> Answer:
        body = request["body"]
        wrong = [wrong_field(name) for name in ("responses_create_params", "expected_count") if name not in body]
        wrong += wrong_items(body["response"]["output"])
        if wrong:
            return self.answered(request, {"detail": wrong}, status=422)
        episode = self.episode_of(request)
        judged = {
            "responses_create_params": body["responses_create_params"],
            "response": body["response"],
            "reward": float(episode.count == body["expected_count"]),
            "expected_count": body["expected_count"],
            "final_count": episode.count,
            "hint": None,
        }
        return self.given(episode, judged)

    def opened(self) -> Episode:
        self.episodes.append(Episode(len(self.episodes), 0))
        return self.episodes[-1]

    def episode_of(self, request: Request) -> Episode:
        sent = request["headers"].get("cookie", "").split("; ")
        return next((episode for episode in self.episodes if episode.cookie in sent), None) or self.opened()

    def answered(self, request: Request, body: Any, *, status: int = 200) -> Answer:
        return self.given(self.episode_of(request), body, status=status)

    def given(self, episode: Episode, body: Any, *, status: int = 200) -> Answer:
        headers = CIMultiDict({"Set-Cookie": f"{episode.renewed()}; path=/; Max-Age=1209600; httponly; samesite=lax"})
        headers["Content-Type"] = "application/json"
        return Answer(json.dumps(body, separators=(",", ":")).encode(), status, headers, self.delay_s)


def wrong_field(*location: str | int, kind: str = "missing", value: Any = None) -> dict[str, Any]:
    """One entry of a 422, as FastAPI writes it."""
    message = "Field required" if kind == "missing" else "Extra inputs are not permitted"
    return {"type": kind, "loc": ["body", *location], "msg": message, "input": {} if kind == "missing" else value}


def wrong_items(output: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a strict reader of Responses output items misses in them."""
    missing: list[dict[str, Any]] = []
    for position, item in enumerate(output):
        names = REQUIRED_OF_ITEMS.get(item.get("type", ""), ("type",))
        missing += [wrong_field("response", "output", position, name) for name in names if item.get(name) is None]
        parts = item.get("content") if item.get("role") == "assistant" else None
        for part in parts if isinstance(parts, list) else []:
            if "annotations" not in part:
                missing.append(wrong_field("response", "output", position, "content", "annotations"))
    return missing
