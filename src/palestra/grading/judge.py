"""Asking models for a verdict: several votes, each in a form that the judged text cannot forge."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from palestra.core.context import Context
from palestra.core.errors import Failure
from palestra.core.model import Sampling
from palestra.grading.judge_calls import Answered, Caller, Question, Spent, evaluation
from palestra.grading.judge_options import JudgeOptions, JudgeResources
from palestra.grading.judge_prompt import EQUAL, JudgePrompt, ratings, shortened
from palestra.grading.judge_protocol import Choice, Protocol, Unreadable, read_verdict
from palestra.grading.judge_recording import EVALUATIONS, RecordedJudge


@dataclass(frozen=True, slots=True)
class Ballot:
    """The votes on one question."""

    votes: tuple[str | None, ...]
    """Names of choices; None is a reply without a label, which only `compatible` lets count."""

    def share(self, name: str) -> float:
        """Of all votes, in [0, 1]."""
        return Counter(self.votes)[name] / len(self.votes)

    @property
    def is_equal(self) -> bool:
        """Whether more than half of the votes say so."""
        return self.share(EQUAL) > 0.5


class Judge:
    """The judges of one episode. They are models that --role names; none of them is part of the environment.

    Every method raises Failure `judge` when a judge cannot be asked or writes no readable verdict: never a reward of 0.
    """

    def __init__(self, context: Context, options: JudgeOptions) -> None:
        self.options = options
        self.spent = Spent()
        self.evaluations: list[dict[str, Any]] = []
        self.calls = 0
        first = context.model(options.judge_roles[0])
        self.recorded = first if isinstance(first, RecordedJudge) else None
        resources = context.shared if isinstance(context.shared, JudgeResources) else JudgeResources()
        roles = options.judge_roles if self.recorded is None else ()
        self.callers = [
            Caller(role, context.model(role), options, resources, context.seed, self.spent) for role in roles
        ]

    @property
    def is_over(self) -> bool:
        """Whether a recording has no further reply. Its rollout was judged by what came before."""
        return self.recorded is not None and self.recorded.is_over

    async def compare(
        self, question: str, expected_answer: str, generated_answer: str, *, candidate: str | None = None
    ) -> Ballot:
        """Whether two answers to a question are equivalent.

        `candidate` is what the policy wrote where that is not `generated_answer`: after a swap.
        """
        values = {"question": question, "expected_answer": expected_answer, "generated_answer": generated_answer}
        quoted = generated_answer if candidate is None else candidate
        return await self.ask(self.options.prompt(), values, self.options.verdicts(), quoted)

    async def rate(self, prompt: JudgePrompt, values: Mapping[str, str], candidate: str, *, maximum: int = 10) -> float:
        """The mean rating of an answer, as a share of `maximum`, in [0, 1]. `values` fill the prompt's slots."""
        ballot = await self.ask(prompt, values, ratings(maximum), candidate)
        return sum(int(vote or 0) for vote in ballot.votes) / (maximum * len(ballot.votes))

    async def ask(
        self, prompt: JudgePrompt, values: Mapping[str, str], choices: tuple[Choice, ...], candidate: str
    ) -> Ballot:
        """All votes on one question."""
        options = self.options
        name = "bracket" if options.compatible else options.judge_protocol
        protocol = Protocol(name, choices, first_wins=options.compatible)
        limit = None if options.compatible else options.judge_answer_limit
        shown = {slot: shortened(text, limit) for slot, text in values.items()}
        question = Question(prompt, shown, protocol, shortened(candidate, limit))
        if self.recorded is not None:
            return await self.replay(question, self.recorded)
        seats = [(caller, sample) for caller in self.callers for sample in range(options.judge_samples)]
        first = self.calls
        self.calls += len(seats)
        voting = [caller.vote(question, first + place, sample) for place, (caller, sample) in enumerate(seats)]
        answered = await together(voting)
        for (caller, _), answer in zip(seats, answered, strict=True):
            self.evaluations.append(evaluation(answer, question, options, len(seats), caller.role))
        return Ballot(tuple(answer.choice for answer in answered))

    async def replay(self, question: Question, recorded: RecordedJudge) -> Ballot:
        """The stored votes on the question that is next in the recording."""
        votes: list[str | None] = []
        for _ in range(recorded.votes):
            name, nonce = recorded.protocol, recorded.nonce
            protocol = replace(question.protocol, name=name, first_wins=self.options.compatible and name == "bracket")
            reply = await recorded.respond((), (), Sampling())
            stored = recorded.evaluations[recorded.said - 1]
            self.spent.add(reply.usage, float(stored.get("latency_s") or 0.0))
            self.evaluations.append(dict(stored))
            try:
                votes.append(read_verdict(reply, protocol, nonce=nonce, candidate=question.candidate))
            except Unreadable as error:
                message = f"judge reply {recorded.said} of the rollout holds no readable verdict: {error}"
                raise Failure("judge", message) from error
        return Ballot(tuple(votes))

    def to_metrics(self) -> dict[str, Any]:
        """Columns of a rollout: what was asked and answered, and what it cost."""
        return {EVALUATIONS: self.evaluations or None, **self.spent.to_metrics()}


async def together(voting: Sequence[Coroutine[Any, Any, Answered]]) -> list[Answered]:
    """What all of them return. The first that raises ends the others."""
    tasks = [asyncio.create_task(vote) for vote in voting]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
