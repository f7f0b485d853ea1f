"""Episodes behind HTTP: any resources server that speaks NeMo Gym's wire."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from palestra.core.errors import Failure, boundary, suggestion
from palestra.core.model import Item, ToolSchema
from palestra.core.session import Host, Step
from palestra.core.task import content_hash
from palestra.core.tools import error_text
from palestra.core.transcript import Transcript, argument_text, function_calls, is_assistant_message
from palestra.core.verdict import Verdict
from palestra.hosts.http_answers import check_answer, check_seeded, seeded_object, step_of, verdict_of
from palestra.hosts.http_bodies import arguments_body, verify_body
from palestra.hosts.http_connection import Answer, Connection
from palestra.wire.encoding import encode
from palestra.wire.rows import PARAMS, Opening, joined, opening_of_params
from palestra.wire.verification import ENV_ID, OWN_PROMPT_HEADER, SEED_HEADER, with_defaults

DEFAULT_CALL_TIMEOUT_S = 600.0
MAX_VERIFY_BYTES = 64 * 2**20
MAX_TOOL_BYTES = 16 * 2**20

TOOL_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,200}", re.ASCII)
RESERVED_ROUTES = frozenset({"verify", "seed_session", "aggregate_metrics", "run", "mcp"})
"""Routes of the server that are no tools: a model that calls `verify` must not learn its reward."""


class HttpHost:
    """Opens episodes on a resources server.

    `prompt_source` makes the prompt and tools of rows that bring none; it is lent and outlives the host.
    """

    def __init__(
        self,
        url: str,
        *,
        environment: str,
        prompt_source: Host | None = None,
        call_timeout_s: float = DEFAULT_CALL_TIMEOUT_S,
        token: str | None = None,
    ) -> None:
        self.connection = Connection(url, token, environment=environment, call_timeout_s=call_timeout_s)
        self.environment = environment
        self.prompt_source = prompt_source

    async def open(self, row: Mapping[str, Any], *, seed: int) -> "HttpSession":
        prompted = row if row.get(PARAMS) is not None else await self.prompted(row, seed)
        with boundary("environment", code="task-invalid"):
            opening = opening_of_params(prompted[PARAMS])
            full = with_defaults(prompted)
            data = encode(full)
            key = f"{content_hash(row)}_{seed}"
        headers = {SEED_HEADER: str(seed)} | ({OWN_PROMPT_HEADER: "1"} if prompted is not row else {})
        answer = await self.connection.post("/seed_session", data, {}, max_bytes=MAX_VERIFY_BYTES, headers=headers)
        check_seeded(answer, self.connection.server)
        seeded = seeded_object(answer)
        if isinstance(seeded.get(ENV_ID), str):
            arguments = (full, opened(opening, seeded), answer, headers)
            return SteppedSession(self.connection, *arguments, key=key, env_id=seeded[ENV_ID])
        return HttpSession(self.connection, full, opening, answer, headers, key=key)

    async def prompted(self, row: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """The row with the prompt and the tools that the environment gives it here."""
        if self.prompt_source is None:
            message = (
                f"the row has no {PARAMS}: it must bring its own prompt when the environment runs behind HTTP and is"
                f" not known here ({self.connection.server})"
            )
            raise Failure("environment", message, code="task-invalid")
        session = await self.prompt_source.open(row, seed=seed)
        try:
            return {**row, PARAMS: {"input": list(session.prompt), "tools": list(session.tools)}}
        finally:
            await session.close()

    async def close(self) -> None:
        await self.connection.close()


class HttpSession:
    """An episode on a server, which knows it by the cookies it gave."""

    def __init__(
        self,
        connection: Connection,
        row: Mapping[str, Any],
        opening: Opening,
        seeded: Answer,
        headers: Mapping[str, str],
        *,
        key: str,
    ) -> None:
        self.connection = connection
        self.row = row
        self.opening = opening
        self.cookies = seeded.cookies
        self.is_ours = seeded.is_ours
        self.headers = headers
        self.key = key

    @property
    def prompt(self) -> tuple[Item, ...]:
        return self.opening.prompt

    @property
    def tools(self) -> tuple[ToolSchema, ...]:
        return self.opening.tools

    async def step(self, items: Sequence[Item]) -> Step:
        calls = function_calls(items)
        outputs = tuple([await self.answer(call) for call in calls])
        return Step(outputs, done=not calls and any(is_assistant_message(item) for item in items))

    async def verify(self, transcript: Transcript) -> Verdict:
        with boundary("verifier"):
            data = verify_body(self.row, transcript, key=self.key, **self.named())
        answer = await self.post("/verify", data, MAX_VERIFY_BYTES)
        return verdict_of(answer, self.row, self.connection.server)

    def named(self) -> dict[str, str]:
        """What the response says beside its output, for servers that do not go by cookies."""
        return {}

    async def close(self) -> None:
        """Nothing to give back: the protocol has no end of an episode, servers forget it by themselves."""

    async def answer(self, call: Item) -> Item:
        """Run one function call on the server and give its output item."""
        return {"type": "function_call_output", "call_id": call.get("call_id"), "output": await self.output(call)}

    async def output(self, call: Item) -> str:
        """What the server says to a call, whatever the status: its errors are text for the model, too."""
        name = str(call.get("name") or "")
        if not is_tool_name(name):
            return error_text(self.unknown_tool(name[:100]))
        try:
            # A server of ours answers what the model wrote, whatever it is, as the environment would here.
            data = argument_text(call).encode(errors="replace") if self.is_ours else arguments_body(call)
        except ValueError as error:
            return error_text(str(error))
        answer = await self.post(f"/{name}", data, MAX_TOOL_BYTES)
        check_answer(answer, f"{self.connection.server}: /{name}")
        if answer.is_cut:
            return f"{answer.text}\n[cut: the output of {name} is longer than {MAX_TOOL_BYTES // 2**20} MiB]"
        return answer.text

    def unknown_tool(self, name: str) -> str:
        names = sorted(str(tool.get("name")) for tool in self.tools)
        return f"Unknown tool {name!r}.{suggestion(name, names)} Available tools: {', '.join(names) or 'none'}."

    async def post(self, route: str, data: bytes, max_bytes: int) -> Answer:
        answer = await self.connection.post(route, data, self.cookies, max_bytes=max_bytes, headers=self.headers)
        # As NeMo Gym's agents do, an answer's cookies replace all earlier ones. One without any (a 404 of a proxy)
        # leaves them: the episode would be lost otherwise.
        self.cookies = answer.cookies or self.cookies
        return answer


class SteppedSession(HttpSession):
    """An episode on a server whose environment answers whole replies, as NeMo Gym's aviary server and ours do."""

    def __init__(self, *arguments: Any, env_id: str, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.env_id = env_id

    async def step(self, items: Sequence[Item]) -> Step:
        # Other servers know function calls only, and take a reply without any for the end.
        action = list(items) if self.is_ours else function_calls(items)
        if not action:
            return Step((), done=any(is_assistant_message(item) for item in items))
        answer = await self.post("/step", encode({ENV_ID: self.env_id, "action": action}), MAX_VERIFY_BYTES)
        return step_of(answer, self.connection.server)

    def named(self) -> dict[str, str]:
        return {ENV_ID: self.env_id}

    async def close(self) -> None:
        with suppress(Failure):
            # The server forgets it by itself, too.
            await self.post("/close", encode({ENV_ID: self.env_id}), MAX_TOOL_BYTES)


def opened(opening: Opening, seeded: Mapping[str, Any]) -> Opening:
    """What an episode starts with: what the row says and what the environment saw first, with its tools."""
    return joined(opening, Opening(objects(seeded.get("obs")), objects(seeded.get("tools"))))


def objects(value: Any) -> tuple[dict[str, Any], ...]:
    entries = cast("list[Any]", value) if isinstance(value, list) else []
    return tuple(cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict))


def is_tool_name(name: str) -> bool:
    """Whether a name that a model wrote may become a path on the server."""
    return TOOL_NAME.fullmatch(name) is not None and name.strip(".") != "" and name not in RESERVED_ROUTES
