"""An environment behind NeMo Gym's routes for resources servers."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from palestra.core.environment import Environment
from palestra.core.errors import Failure
from palestra.core.session import Session
from palestra.core.task import content_hash
from palestra.core.transcript import Transcript, output_text
from palestra.hosts.local import LocalHost
from palestra.rollout.replay import replay_turns
from palestra.serve.door import Door, is_object, json_object, raw_body, raw_object
from palestra.serve.episodes import Episode, Episodes
from palestra.serve.gym_answers import guarded, json_response, lost, not_found
from palestra.serve.refusals import Refusal
from palestra.wire.calls import flat
from palestra.wire.encoding import encode
from palestra.wire.rows import PARAMS
from palestra.wire.verification import (
    ENV_ID,
    OWN_PROMPT_HEADER,
    PROTOCOL_VERSION,
    SEED_BODY,
    SEED_HEADER,
    VERIFY_BODY,
    VERSION_HEADER,
    judge_failed_body,
    judged_body,
    problems_of,
    stepped_body,
)

REVERIFY_MODES = {"transcript": "stateless", "replay_calls": "unsupported", "unsupported": "unsupported"}
NOTHING_ASKED: Mapping[str, Any] = {"input": []}


def environment_app(host: LocalHost, episodes: Episodes, door: Door) -> Starlette:
    """The ASGI application; the end of its lifespan closes episodes and host."""
    routes = EnvironmentRoutes(host, episodes)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        sweeping = asyncio.create_task(episodes.sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            await episodes.close()

    def post(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, guarded(endpoint, door), methods=["POST"])

    stepped = [post("/step", routes.step), post("/close", routes.close)] if routes.is_stepped else []
    return Starlette(
        routes=[
            Route("/", guarded(routes.alive, Door())),
            post("/seed_session", routes.seed_session),
            post("/verify", routes.verify),
            Route("/reverify_mode", guarded(routes.reverify_mode, door)),
            *stepped,
            post("/{tool}", routes.tool),
        ],
        exception_handlers={404: not_found, 405: not_found},
        lifespan=lifespan,
    )


class EnvironmentRoutes:
    """What the routes do."""

    def __init__(self, host: LocalHost, episodes: Episodes) -> None:
        self.host = host
        self.episodes = episodes
        self.reverify = host.source.manifest.reverify
        self.is_stepped = host.environment_class.step is not Environment.step
        """Whether it ends episodes itself, speaks, or gives rewards as it goes: tools alone would not play it."""

    async def alive(self, request: Request) -> Response:
        return json_response({"status": "ok"})

    async def reverify_mode(self, request: Request) -> Response:
        return json_response(REVERIFY_MODES[self.reverify])

    async def seed_session(self, request: Request) -> Response:
        body = await json_object(request)
        if problems := problems_of(body, SEED_BODY):
            return json_response({"detail": problems}, 422)
        # Who has no row to show has an episode in name only.
        row = asked_row(request, {PARAMS: NOTHING_ASKED, **body}) if body else None
        episode = await self.episodes.open(row, seed=seed_of(request, body))
        if not self.is_stepped or episode.session is None:
            return self.answer(episode, b"{}")
        session = episode.session
        added = session.prompt[len(row_input(body)) :] if self.host.environment_class.adds_to_rows else ()
        opening = {ENV_ID: self.episodes.signed(episode), "obs": list(added), "tools": list(session.tools)}
        return self.answer(episode, encode(opening))

    async def tool(self, request: Request) -> Response:
        """One call of a tool; what it says is the body, errors too, as a model would read them."""
        name = request.path_params["tool"]
        raw = await raw_body(request)
        episode = self.found(request)
        if episode is None or (episode.session is None and not episode.is_judged):
            if name not in self.host.environment_class.tools:
                return await not_found(request)
            episode = await self.episodes.open({PARAMS: NOTHING_ASKED}, seed=seed_of(request, {}))
        call = {"type": "function_call", "name": name, "call_id": "call", "arguments": raw.decode(errors="replace")}
        async with episode.lock:
            session = self.living(episode)
            step = await session.step([call])
            if step.reward is not None:
                episode.rewards.append(step.reward)
        said = next((item for item in step.items if item.get("type") == "function_call_output"), None)
        known = any(schema.get("name") == name for schema in session.tools)
        status = 404 if not known else 200 if is_object(raw) else 422
        return self.answer(episode, output_text(said or {}).encode(errors="replace"), status)

    async def step(self, request: Request) -> Response:
        """All items of one reply at once, for environments that do more than answer calls."""
        body = await json_object(request)
        action = body.get("action")
        if not isinstance(action, list) or not all(isinstance(item, dict) for item in action):
            raise Refusal(422, f"action must be a list of items, got {str(action)[:100]!r}")
        episode = self.found(request, body)
        if episode is None:
            raise Refusal(422, f"{ENV_ID} must be what /seed_session answered, got {str(body.get(ENV_ID))[:100]!r}")
        async with episode.lock:
            step = await self.living(episode).step(action)
            if step.reward is not None:
                episode.rewards.append(step.reward)
        return self.answer(episode, encode(stepped_body(step)))

    async def close(self, request: Request) -> Response:
        body = await json_object(request)
        try:
            episode = self.found(request, body)
        except Failure as failure:
            return json_response({"message": repr(failure), "success": False})
        # Until the TTL its verdict may be asked for: rewards are judged after the environment was closed.
        return json_response({"message": "Success", "success": episode is not None})

    async def verify(self, request: Request) -> Response:
        raw, body = await raw_object(request)
        if problems := problems_of(body, VERIFY_BODY):
            return json_response({"detail": problems}, 422)
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        try:
            episode = self.found(request, body["response"])
        except Failure:
            # Where the conversation says it all, nothing was lost.
            if self.reverify != "transcript":
                raise
            episode = None
        if episode is None:
            return json_response(await self.judged_alone(request, body))
        async with episode.lock:
            if episode.digest != digest:
                answer = await self.judged(request, episode, body)
                if answer.get("_ng_failure_class") is not None:
                    return self.answer(episode, encode(answer))
                await self.episodes.judge(episode, digest, encode(answer))
        return self.answer(episode, episode.answer)

    async def judged(self, request: Request, episode: Episode, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a conversation of this episode."""
        session = episode.session
        is_own = session is not None and all(body.get(name) == value for name, value in task_fields(episode.row))
        if session is not None and is_own:
            return await answered(session, body, tuple(episode.rewards))
        if self.reverify != "transcript" and (session is not None or episode.is_judged):
            what = "is judged already" if episode.is_judged else "was opened with another row"
            raise Refusal(409, f"this episode {what}, and another verdict would need another episode: seed one")
        return await self.judged_alone(request, body)

    async def judged_alone(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a conversation that came without an episode: a fresh one judges it, if that can be."""
        if self.reverify == "unsupported":
            message = f"{self.host.source.manifest.name} judges what happened in an episode: call /seed_session first"
            raise Refusal(409, message)
        row = asked_row(request, {name: value for name, value in body.items() if name != "response"})
        session = await self.host.open(row, seed=seed_of(request, row))
        try:
            rewards = await replay_turns(session, body) if self.reverify == "replay_calls" else ()
            return await answered(session, body, tuple(rewards))
        finally:
            with suppress(Failure):
                await session.close()

    def found(self, request: Request, body: Mapping[str, Any] | None = None) -> Episode | None:
        """The episode of a request; None if it names none. Raises Failure if it names one that is gone."""
        value = request.cookies.get(self.episodes.cookie) or (body or {}).get(ENV_ID)
        if not isinstance(value, str):
            return None
        identity = self.episodes.identity(value)
        episode = self.episodes.find(identity) if identity is not None else None
        if episode is None:
            raise lost()
        return episode

    def living(self, episode: Episode) -> Session:
        if episode.session is None:
            raise Refusal(409, "this episode is over: it was judged")
        return episode.session

    def answer(self, episode: Episode, body: bytes, status: int = 200) -> Response:
        # On each answer, as agents take the cookies of the last one for all there are.
        cookie = f"{self.episodes.cookie}={self.episodes.signed(episode)}; path=/; HttpOnly; SameSite=lax"
        headers = {"set-cookie": cookie, VERSION_HEADER: PROTOCOL_VERSION}
        return Response(body, status, headers, media_type="application/json")


async def answered(session: Session, body: dict[str, Any], rewards: tuple[float, ...]) -> dict[str, Any]:
    """The answer of /verify by this episode. Raises Failure, but for a judge that broke."""
    output = tuple(flat(body["response"].get("output")) or ())
    try:
        verdict = await session.verify(Transcript(session.prompt, output, rewards))
    except Failure as failure:
        if failure.boundary != "judge":
            raise
        return judge_failed_body(body, failure.message)
    return judged_body(body, verdict)


def seed_of(request: Request, row: Mapping[str, Any]) -> int:
    """The seed of an episode: what the client says, or one that the same row always gets."""
    said = request.headers.get(SEED_HEADER, "")
    return int(said) % 2**31 if said.isdecimal() and said.isascii() else int(content_hash(row)[:7], 16)


def asked_row(request: Request, row: dict[str, Any]) -> dict[str, Any]:
    """The row, without the prompt if that is what the environment itself made of it."""
    return dict(task_fields(row)) if OWN_PROMPT_HEADER in request.headers else row


def row_input(row: Mapping[str, Any]) -> Any:
    params = row.get(PARAMS)
    return params.get("input") or () if isinstance(params, dict) else ()


def task_fields(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in row.items() if name != PARAMS]
