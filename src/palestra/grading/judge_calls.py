"""One vote of one judge: ask, read, ask again, remember."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from palestra.core.errors import Failure, boundary
from palestra.core.model import Item, Model, Reply, Sampling, Usage
from palestra.core.transcript import content_text
from palestra.grading.judge_cache import JudgeCache, content_key
from palestra.grading.judge_options import JudgeOptions, JudgeResources
from palestra.grading.judge_prompt import JudgePrompt
from palestra.grading.judge_protocol import Protocol, Unreadable, nonce_of, read_verdict
from palestra.grading.judge_recording import NONCE, PROTOCOL, VOTES

ANY_NONCE = "0" * 12
"""In the place of the nonce where a question is compared with others."""
SHOWN = 200
NOTHING = Usage()


@dataclass(slots=True)
class Spent:
    """What the judges of one episode cost."""

    calls: int = 0
    retries: int = 0
    """Replies without a readable verdict."""
    cached: int = 0
    """Verdicts that came from the cache and cost nothing."""
    usage: Usage = NOTHING
    latency_s: float = 0.0

    def add(self, usage: Usage, latency_s: float) -> None:
        self.calls += 1
        self.usage += usage
        self.latency_s += latency_s

    def to_metrics(self) -> dict[str, Any]:
        """Columns of a rollout."""
        return {
            "judge_calls": self.calls,
            "judge_retries": self.retries,
            "judge_cache_hits": self.cached,
            "judge_input_tokens": self.usage.input_tokens,
            "judge_output_tokens": self.usage.output_tokens,
            "judge_latency_s": round(self.latency_s, 6),
        }


@dataclass(slots=True)
class Answered:
    """A reply of a judge and the verdict read in it."""

    choice: str | None
    reply: Reply
    nonce: str
    items: Sequence[Item]
    """What was asked."""
    latency_s: float
    tries: int = 1
    is_cached: bool = False


@dataclass(slots=True)
class Question:
    """What a judge is asked."""

    prompt: JudgePrompt
    values: Mapping[str, str]
    protocol: Protocol
    candidate: str
    """The text that must not speak for the judge, as the judge is shown it."""

    def items(self, nonce: str) -> list[Item]:
        return self.prompt.fill(self.values, self.protocol, nonce)


@dataclass(slots=True)
class Caller:
    """Asks one model in one role."""

    role: str
    model: Model
    options: JudgeOptions
    resources: JudgeResources
    seed: int
    spent: Spent

    async def vote(self, question: Question, call: int, sample: int) -> Answered:
        """The verdict of call number `call` of the episode, which is sample number `sample` of its question.

        Raises Failure `judge`: the model could not be asked, or wrote no readable verdict.
        """
        cache = self.resources.cache
        if cache is None:
            return await self.ask(question, call)
        parameters = self.options.parameters.given()
        key = content_key(self.model.name, question.items(ANY_NONCE), parameters, sample)
        stored = await read_cached(cache, key, question)
        if stored is not None:
            self.spent.cached += 1
            return stored
        answered = await self.ask(question, call)
        await cache.put(key, to_cache(answered))
        return answered

    async def ask(self, question: Question, call: int) -> Answered:
        tries = self.options.judge_max_tries
        problem = Unreadable("")
        tail = ""
        for number in range(1, tries + 1):
            # Another nonce and another seed each time, so that the same reply is not drawn again.
            turn = call * tries + number
            nonce = nonce_of(self.seed, turn, question.values.values())
            items = question.items(nonce)
            sampling = self.options.parameters.sampling((self.seed + turn) % 2**31)
            began = time.monotonic()
            reply = await self.respond(items, sampling)
            latency_s = time.monotonic() - began
            self.spent.add(reply.usage, latency_s)
            try:
                choice = read_verdict(reply, question.protocol, nonce=nonce, candidate=question.candidate)
                return Answered(choice, reply, nonce, items, latency_s, number)
            except Unreadable as error:
                self.spent.retries += 1
                problem, tail = error, ending(reply)
        message = f"the {self.role} gave no readable verdict in {tries} replies: {problem}; the last ended {tail!r}"
        raise Failure("judge", message, retryable=True)

    async def respond(self, items: Sequence[Item], sampling: Sampling) -> Reply:
        if self.resources.slots is None:
            return await respond(self.model, self.role, items, sampling)
        async with self.resources.slots:
            return await respond(self.model, self.role, items, sampling)


async def respond(model: Model, role: str, items: Sequence[Item], sampling: Sampling) -> Reply:
    """The model's reply. Whatever keeps it from giving one is a `judge` Failure."""
    try:
        with boundary("judge"):
            return await model.respond(items, (), sampling)
    except Failure as failure:
        if failure.boundary == "judge":
            raise
        raise Failure(
            "judge",
            f"the {role} could not be asked: {failure.message} [{failure.code}]",
            retryable=failure.retryable,
            retry_after_s=failure.retry_after_s,
            fatal=failure.fatal,
        ) from failure


async def read_cached(cache: JudgeCache, key: bytes, question: Question) -> Answered | None:
    """The reply that the same question got before, if it still holds a readable verdict."""
    stored = await cache.get(key)
    if stored is None:
        return None
    reply = Reply(tuple(stored["output"]), stored["stop_reason"], stored["model"])
    nonce = stored["nonce"]
    try:
        choice = read_verdict(reply, question.protocol, nonce=nonce, candidate=question.candidate)
    except Unreadable:
        # Written by a version that read replies in another way.
        return None
    return Answered(choice, reply, nonce, question.items(nonce), 0.0, is_cached=True)


def to_cache(answered: Answered) -> dict[str, Any]:
    reply = answered.reply
    return {
        "output": list(reply.items),
        "stop_reason": reply.stop_reason,
        "model": reply.model,
        "nonce": answered.nonce,
        "usage": usage_of(reply.usage),
    }


def ending(reply: Reply) -> str:
    text = "".join(content_text(item.get("content")) for item in reply.items)
    return text[-SHOWN:].encode("utf-8", "replace").decode()


def evaluation(answered: Answered, question: Question, options: JudgeOptions, votes: int, role: str) -> dict[str, Any]:
    """One entry of `judge_evaluations`, as NeMo Gym shapes it."""
    reply = answered.reply
    metadata = {PROTOCOL: question.protocol.name, VOTES: str(votes)}
    if question.protocol.name == "json":
        metadata[NONCE] = answered.nonce
    cut = reply.stop_reason in ("max_output_tokens", "content_filter")
    output = [{"id": f"item_{answered.nonce}_{place}", **item} for place, item in enumerate(reply.items)]
    return {
        "responses_create_params": {
            **options.parameters.given(),
            "input": list(answered.items),
            "metadata": metadata,
        },
        "response": {
            "id": f"resp_{answered.nonce}",
            "created_at": int(time.time()),
            "object": "response",
            "model": reply.model,
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": reply.stop_reason} if cut else None,
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": usage_of(reply.usage),
        },
        "verdict_label": question.protocol.label_of(answered.choice),
        "role": role,
        "latency_s": round(answered.latency_s, 6),
        "cached": answered.is_cached,
    }


def usage_of(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
