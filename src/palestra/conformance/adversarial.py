"""Attacking a verifier: what earns a full reward and should not, what should and does not."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from palestra.conformance.attacks import Answer, Attack, Gold, attacks_on, last_text, other_answers, with_last_text
from palestra.conformance.cases import Case, play
from palestra.conformance.probes import MAY_TIME_OUT, hostile_replies
from palestra.conformance.subject import TASKS_PROBED, Subject
from palestra.core.errors import Failure, PalestraError, describe
from palestra.core.verdict import Verdict

GOLDS = 6
"""Right replies that attacks are made of, spread over the cases."""
EVERY_ATTACK = "*"
NO_GOLDS = "no case of kind 'full' can be attacked; add one with the environment's own options, models and rows"
MOST_SECONDS = 60.0
"""For one attack, from the opening of its episode to the verdict."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attack."""

    attack: Attack
    verdict: Verdict | None
    failure: str | None
    timed_out: bool
    elapsed_s: float

    @property
    def reward(self) -> float | None:
        return self.verdict.reward if self.verdict is not None else None

    def to_json(self) -> dict[str, Any]:
        reply = str(self.attack.replies)
        return {
            "attack": self.attack.name,
            "must": self.attack.must,
            "reward": self.reward,
            "failure": self.failure,
            "task": dict(self.attack.row),
            "reply": reply if len(reply) <= 300 else f"{reply[:150]} ... {reply[-150:]}",
        }

    def __str__(self) -> str:
        told = self.to_json()
        earned = self.failure or f"earns {self.reward}"
        return f"{self.attack.name!r} must {self.attack.must}, {earned}: {told['reply']}"


@dataclass(slots=True)
class AdversarialReport:
    """The outcomes of all attacks on one environment."""

    environment: str
    full: float
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    excused: Mapping[str, str] = field(default_factory=dict[str, str])
    """Attacks that may score full, and why; declared in cases.jsonl."""

    def may_pass(self, name: str) -> bool:
        return name in self.excused or EVERY_ATTACK in self.excused

    @property
    def false_passes(self) -> list[Outcome]:
        """A full reward for what does not deserve it."""
        return [
            outcome
            for outcome in self.outcomes
            if outcome.attack.must == "fail"
            and outcome.reward is not None
            and outcome.reward >= self.full
            and not self.may_pass(outcome.attack.name)
        ]

    @property
    def false_fails(self) -> list[Outcome]:
        """Less than a full reward for a right reply."""
        return [outcome for outcome in self.outcomes if outcome.attack.must == "pass" and not self.is_full(outcome)]

    @property
    def failures(self) -> list[Outcome]:
        """No verdict at all. A bomb may end at the verifier's deadline."""
        return [
            outcome
            for outcome in self.outcomes
            if outcome.failure is not None and not (outcome.timed_out and outcome.attack.name in MAY_TIME_OUT)
        ]

    @property
    def has_golds(self) -> bool:
        """Whether any attack was made of a right reply; without one, most attacks were never tried."""
        return self.ceiling is not None

    @property
    def passed(self) -> bool:
        return self.has_golds and not (self.false_passes or self.false_fails or self.failures)

    def is_full(self, outcome: Outcome) -> bool:
        return outcome.reward is not None and outcome.reward >= self.full

    def means(self, must: str) -> dict[str, float]:
        """The mean reward of each attack of a kind, over its tasks; a failure earns nothing."""
        rewards: dict[str, list[float]] = {}
        for outcome in self.outcomes:
            if outcome.attack.must == must:
                rewards.setdefault(outcome.attack.name, []).append(outcome.reward or 0.0)
        return {name: sum(values) / len(values) for name, values in rewards.items()}

    @property
    def floor(self) -> float | None:
        """The most that one attack earns on average: what a policy gets that has learned it."""
        return max(self.means("fail").values(), default=None)

    @property
    def ceiling(self) -> float | None:
        """The least that one form of right replies earns on average; below the maximum, good policies are punished."""
        return min(self.means("pass").values(), default=None)

    def to_json(self) -> dict[str, Any]:
        lists = {"false_pass": self.false_passes, "false_fail": self.false_fails, "failure": self.failures}
        return {
            "environment": self.environment,
            "passed": self.passed,
            "cases": len(self.outcomes),
            "false_passes": len(self.false_passes),
            "false_fails": len(self.false_fails),
            "failures": len(self.failures),
            "floor": self.floor,
            "ceiling": self.ceiling,
            "slowest_s": round(max((outcome.elapsed_s for outcome in self.outcomes), default=0.0), 3),
            "attacks": {must: self.means(must) for must in ("fail", "pass", "any")},
            "excused": dict(self.excused),
            "details": [{"kind": kind, **outcome.to_json()} for kind, found in lists.items() for outcome in found],
        }


async def attack(subject: Subject) -> AdversarialReport:
    """Try every attack. What a verifier does wrong is in the report; nothing is raised for it."""
    report = AdversarialReport(
        subject.source.name,
        subject.source.manifest.reward.maximum,
        excused={case.probe: case.expected_full for case in subject.cases if case.probe and case.expected_full},
    )
    async for found in without_answer(subject):
        report.outcomes.append(await tried(subject, found))
    async for gold in golds(subject):
        for found in attacks_on(gold, subject.source.manifest.answer):
            report.outcomes.append(await tried(subject, found))
    return report


async def without_answer(subject: Subject) -> AsyncIterator[Attack]:
    """Replies that hold no answer, for the first tasks."""
    for row in subject.rows[:TASKS_PROBED]:
        opening = await subject.opened(row)
        prompt = () if isinstance(opening, Failure) else opening.prompt
        for name, text in hostile_replies(prompt).items():
            yield Attack(name, row, [text], "fail")


async def golds(subject: Subject) -> AsyncIterator[Gold]:
    """Right replies from cases.jsonl, each with what would be wrong for its task."""
    cases = [
        case for case in subject.cases if case.kind == "full" and not case.not_attacked and subject.plays_as_it_is(case)
    ]
    for case in spread(cases, GOLDS):
        row, replies = subject.row_of(case), case.replies or []
        if subject.source.manifest.answer == "calls":
            yield Gold(row, replies, other_calls=await calls_that_fail(subject, row, cases))
        else:
            yield Gold(row, replies, answers=await deciding_word(subject, row, replies))


async def deciding_word(subject: Subject, row: Mapping[str, Any], replies: Sequence[Any]) -> list[Answer]:
    """The word of the last text that a verdict hangs on, with words that make it wrong; empty if there is none."""
    text = last_text(replies)
    right = await tried(subject, Attack("tried", row, replies, "any"))
    for answers in other_answers(text) if text else ():
        wrong: list[Answer] = []
        for answer in answers:
            found = await tried(subject, Attack("tried", row, with_last_text(replies, answer.wrong), "any"))
            if is_below(subject, found) and reads_another(subject, right, found):
                wrong.append(answer)
        if wrong:
            return wrong
    return []


def reads_another(subject: Subject, right: Outcome, found: Outcome) -> bool:
    """Whether the verifier read an answer, and another one, where it tells; else a changed word only broke the form."""
    key = subject.source.manifest.answer_key
    if key is None or right.verdict is None or found.verdict is None:
        return True
    answer = found.verdict.metrics.get(key)
    return answer is not None and answer != right.verdict.metrics.get(key)


async def calls_that_fail(subject: Subject, row: Mapping[str, Any], cases: Sequence[Case]) -> Sequence[Any]:
    """The replies of another task that do not solve this one."""
    for case in cases:
        if subject.row_of(case) != row:
            found = await tried(subject, Attack("tried", row, case.replies or [], "any"))
            if is_below(subject, found):
                return case.replies or []
    return []


def is_below(subject: Subject, outcome: Outcome) -> bool:
    return outcome.reward is not None and outcome.reward < subject.source.manifest.reward.maximum


def spread(cases: Sequence[Case], number: int) -> list[Case]:
    """At most so many, taken evenly."""
    step = max(1, -(-len(cases) // number))
    return list(cases[::step])


async def tried(subject: Subject, attack: Attack) -> Outcome:
    started = time.monotonic()
    verdict, failure, timed_out = None, None, False
    try:
        async with asyncio.timeout(MOST_SECONDS):
            verdict = (await play(subject.host, dict(attack.row), attack.replies))[1]
    except Failure as error:
        failure, timed_out = describe(error), error.code == "verifier-timeout"
    except PalestraError as error:
        failure = describe(error)
    except TimeoutError:
        failure = "no verdict"
    elapsed_s = time.monotonic() - started
    if elapsed_s > MOST_SECONDS:
        failure = f"no verdict within {MOST_SECONDS:g} s"
    return Outcome(attack, verdict, failure, timed_out, elapsed_s)
