"""An environment behind NeMo Gym's routes for resources servers."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import Any

from palestra.core.environment import Environment
from palestra.core.errors import Failure
from palestra.core.session import Session
from palestra.core.transcript import Transcript, output_text
from palestra.hosts.local import LocalHost
from palestra.rollout.replay import replay_turns
from palestra.serve.aggregate import aggregated
from palestra.serve.asgi import Answer, Call, Routes
from palestra.serve.door import Door, is_object, json_object, raw_body, raw_object
from palestra.serve.episodes import Episode, Episodes
from palestra.serve.gym_answers import answer_of, broken, guarded, lost, unknown
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

REVERIFY_MODES = MappingProxyType(
    {"transcript": "stateless", "replay_calls": "unsupported", "unsupported": "unsupported"}
)
OURS = (VERSION_HEADER.encode(), PROTOCOL_VERSION.encode())
NOTHING_ASKED: Mapping[str, Any] = MappingProxyType({"input": []})


def environment_app(host: LocalHost, episodes: Episodes, door: Door) -> Routes:
    """The ASGI application; the end of its life closes episodes and host."""
    routes = EnvironmentRoutes(host, episodes)

    @asynccontextmanager
    async def life() -> AsyncGenerator[None, None]:
        sweeping = asyncio.create_task(episodes.sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            await episodes.close()

    posts = {
        "/seed_session": routes.seed_session,
        "/verify": routes.verify,
        "/aggregate_metrics": routes.aggregate_metrics,
    }
    if routes.is_stepped:
        posts |= {"/step": routes.step, "/close": routes.close}
    by_path = {path: {"POST": guarded(handler, door)} for path, handler in posts.items()}
    by_path |= {"/": {"GET": routes.alive}, "/reverify_mode": {"GET": guarded(routes.reverify_mode, door)}}
    return Routes(by_path, broken=broken, unknown=unknown, named=guarded(routes.tool, door), life=life)


class EnvironmentRoutes:
    """What the routes do."""

    def __init__(self, host: LocalHost, episodes: Episodes) -> None:
        self.host = host
        self.episodes = episodes
        self.tools = host.environment_class.tools
        self.reverify = host.source.manifest.reverify
        self.is_stepped = host.environment_class.step is not Environment.step
        """Whether it ends episodes itself, speaks, or gives rewards as it goes: tools alone would not play it."""

    async def alive(self, call: Call) -> Answer:
        return answer_of({"status": "ok"})

    async def reverify_mode(self, call: Call) -> Answer:
        return answer_of(REVERIFY_MODES[self.reverify])

    async def aggregate_metrics(self, call: Call) -> Answer:
        rollouts = (await json_object(call)).get("verify_responses")
        if not isinstance(rollouts, list) or not all(isinstance(rollout, dict) for rollout in rollouts):
            raise Refusal(422, f"verify_responses must be a list of objects, got {str(rollouts)[:100]!r}")
        try:
            told = await asyncio.to_thread(aggregated, rollouts, self.host.source.manifest.answer_key)
        except ValueError as error:
            raise Refusal(422, str(error)) from None
        return Answer(told, headers=(OURS,))

    async def seed_session(self, call: Call) -> Answer:
        body = await json_object(call)
        if problems := problems_of(body, SEED_BODY):
            return answer_of({"detail": problems}, 422)
        # Who has no row to show has an episode in name only.
        row = asked_row(call, {PARAMS: NOTHING_ASKED, **body}) if body else None
        episode = await self.episodes.open(row, seed=seed_of(call, body))
        if not self.is_stepped or episode.session is None:
            return self.answer(episode, b"{}")
        session = episode.session
        added = session.prompt[len(row_input(body)) :] if self.host.environment_class.adds_to_rows else ()
        opening = {ENV_ID: episode.id, "obs": list(added), "tools": list(session.tools)}
        return self.answer(episode, encode(opening))

    async def tool(self, call: Call) -> Answer:
        """One call of a tool; what it says is the body, errors too, as a model would read them."""
        name = call.path[1:]
        raw = await raw_body(call)
        episode = self.found(call)
        if episode is None or (episode.session is None and not episode.is_judged):
            if name not in self.tools:
                return unknown(call, 404)
            episode = await self.episodes.open({PARAMS: NOTHING_ASKED}, seed=seed_of(call, {}))
        asked = {"type": "function_call", "name": name, "call_id": "call", "arguments": raw.decode(errors="replace")}
        async with episode.lock:
            session = self.living(episode)
            step = await session.step([asked])
            if step.reward is not None:
                episode.rewards.append(step.reward)
        said = next((item for item in step.items if item.get("type") == "function_call_output"), None)
        known = name in self.tools or any(schema.get("name") == name for schema in session.tools)
        status = 404 if not known else 200 if is_object(raw) else 422
        return self.answer(episode, output_text(said or {}).encode(errors="replace"), status)

    async def step(self, call: Call) -> Answer:
        """All items of one reply at once, for environments that do more than answer calls."""
        body = await json_object(call)
        action = body.get("action")
        if not isinstance(action, list) or not all(isinstance(item, dict) for item in action):
            raise Refusal(422, f"action must be a list of items, got {str(action)[:100]!r}")
        episode = self.found(call, body)
        if episode is None:
            raise Refusal(422, f"{ENV_ID} must be what /seed_session answered, got {str(body.get(ENV_ID))[:100]!r}")
        async with episode.lock:
            step = await self.living(episode).step(action)
            if step.reward is not None:
                episode.rewards.append(step.reward)
        return self.answer(episode, encode(stepped_body(step)))

    async def close(self, call: Call) -> Answer:
        body = await json_object(call)
        try:
            episode = self.found(call, body)
        except Failure as failure:
            return answer_of({"message": repr(failure), "success": False})
        # Until the TTL its verdict may be asked for: rewards are judged after the environment was closed.
        return answer_of({"message": "Success", "success": episode is not None})

    async def verify(self, call: Call) -> Answer:
        raw, body = await raw_object(call)
        if problems := problems_of(body, VERIFY_BODY):
            return answer_of({"detail": problems}, 422)
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        try:
            episode = self.found(call, body["response"])
        except Failure:
            # Where the conversation says it all, nothing was lost.
            if self.reverify != "transcript":
                raise
            episode = None
        if episode is None:
            return answer_of(await self.judged_alone(call, body))
        async with episode.lock:
            if episode.digest != digest:
                answer = await self.judged(call, episode, body)
                if answer.get("_ng_failure_class") is not None:
                    return self.answer(episode, encode(answer))
                await self.episodes.judge(episode, digest, encode(answer))
        return self.answer(episode, episode.answer)

    async def judged(self, call: Call, episode: Episode, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a conversation of this episode."""
        session = episode.session
        is_own = session is not None and all(body.get(name) == value for name, value in task_fields(episode.row))
        if session is not None and is_own:
            return await answered(session, body, tuple(episode.rewards))
        if self.reverify != "transcript" and (session is not None or episode.is_judged):
            what = "is judged already" if episode.is_judged else "was opened with another row"
            raise Refusal(409, f"this episode {what}, and another verdict would need another episode: seed one")
        return await self.judged_alone(call, body)

    async def judged_alone(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a conversation that came without an episode: a fresh one judges it, if that can be."""
        if self.reverify == "unsupported":
            message = f"{self.host.source.manifest.name} judges what happened in an episode: call /seed_session first"
            raise Refusal(409, message)
        row = asked_row(call, {name: value for name, value in body.items() if name != "response"})
        session = await self.host.open(row, seed=seed_of(call, row))
        try:
            rewards = await replay_turns(session, body) if self.reverify == "replay_calls" else ()
            return await answered(session, body, tuple(rewards))
        finally:
            with suppress(Failure):
                await session.close()

    def found(self, call: Call, body: Mapping[str, Any] | None = None) -> Episode | None:
        """The episode of a request; None if it names none. Raises Failure if it names one that is gone."""
        value = call.cookie(self.episodes.cookie) or (body or {}).get(ENV_ID)
        if not isinstance(value, str) or not value:
            return None
        episode = self.episodes.find(value)
        if episode is None:
            raise lost()
        return episode

    def living(self, episode: Episode) -> Session:
        if episode.session is None:
            raise Refusal(409, "this episode is over: it was judged")
        return episode.session

    def answer(self, episode: Episode, body: bytes, status: int = 200) -> Answer:
        # On each answer, as agents take the cookies of the last one for all there are.
        return Answer(body, status, ((b"set-cookie", episode.cookie), OURS))


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


def seed_of(call: Call, row: Mapping[str, Any]) -> int:
    """The seed of an episode: what the client says, or one that the same row always gets."""
    said = call.header(SEED_HEADER.encode())
    return int(said) % 2**31 if said.isdecimal() and said.isascii() else zlib.crc32(encode(row)) % 2**31


def asked_row(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    """The row, without the prompt if that is what the environment itself made of it."""
    return dict(task_fields(row)) if OWN_PROMPT_HEADER.encode() in call.headers else row


def row_input(row: Mapping[str, Any]) -> Any:
    params = row.get(PARAMS)
    return params.get("input") or () if isinstance(params, dict) else ()


def task_fields(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in row.items() if name != PARAMS]
