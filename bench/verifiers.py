"""What judging costs: verdicts a second of each environment, mathematics beside the bare library, workers, loop lag.

The yardstick of mathematics is math-verify, called without any protection in one process of its own: parse the gold
answer, parse the reply, compare.
"""

import argparse
import asyncio
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import measurements

from palestra.agents.tool_loop import AgentLimits, ToolLoop
from palestra.collection.collect import collect
from palestra.collection.config import CollectConfig, ModelChoice
from palestra.conformance.cases import Case
from palestra.conformance.check import check_adversarial, subject_of
from palestra.conformance.subject import Subject
from palestra.core.discovery import Source, every_environment, find
from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Sampling
from palestra.core.session import Session
from palestra.core.transcript import Transcript
from palestra.grading.math import MathJudgement, judge, judge_at_once, preload
from palestra.hosts.grading_pool import GradingPool
from palestra.models.scripted import Recital, as_items
from palestra.rollout.record import Outcome

HERE = Path(__file__).parent
SECONDS = 1.5
"""How long the verdicts of one environment are counted."""
ROLLOUTS = 960
TICK_S = 0.002


def environments() -> Iterator[dict[str, Any]]:
    """Verdicts a second over the replies of each environment's cases, and how many of them are as deserved."""
    # A process for each, as a run has: what one environment imports would slow down the next.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as alone:
        for source in every_environment():
            try:
                row = alone.submit(judged_alone, source.name).result()
            except PalestraError as error:
                print(f"{source.name} is left out: {error}", flush=True)
            else:
                print(row, flush=True)
                yield row


def judged_alone(name: str) -> dict[str, Any]:
    return asyncio.run(verdicts(find(name)))


async def verdicts(source: Source) -> dict[str, Any]:
    async with subject_of(source, policy="strong") as subject:
        played = [found for case in subject.cases if case.replies and (found := await live(subject, case))]
        # Once before the clock starts: workers and what they import are not what a verdict costs.
        judged = await asyncio.gather(*[judged_reward(session, transcript) for _, session, transcript in played])
        n, began = 0, time.perf_counter()
        while time.perf_counter() - began < SECONDS:
            judged = await asyncio.gather(*[judged_reward(session, transcript) for _, session, transcript in played])
            n += len(judged)
        elapsed = time.perf_counter() - began
        right = sum(
            reward is not None and abs(reward - (case.reward or 0.0)) < 1e-6
            for (case, _, _), reward in zip(played, judged, strict=True)
        )
        for _, session, _ in played:
            await session.close()
    attacks = await asyncio.to_thread(check_adversarial, source)
    labelled = [outcome for outcome in attacks.outcomes if outcome.attack.must != "any"]
    wrong = len(attacks.false_passes) + len(attacks.false_fails)
    return {
        "case": "verdicts",
        "environment": source.name,
        "replies": len(played),
        "verdicts_per_s": round(n / elapsed, 1),
        "agreement": round(right / len(played), 4),
        "attacks": len(labelled),
        "attacks_agreement": round(1 - wrong / len(labelled), 4),
    }


async def live(subject: Subject, case: Case) -> tuple[Case, Session, Transcript] | None:
    """A played episode of a case, ready to be judged any number of times; None for options or models of its own."""
    if not subject.plays_as_it_is(case):
        return None
    session = await subject.host.open(subject.row_of(case), seed=0)
    model = Recital("case", [as_items(reply) for reply in case.replies or []])
    trajectory = await ToolLoop(AgentLimits(max_steps=50)).run(session, model, Sampling())
    return case, session, trajectory.transcript


async def judged_reward(session: Session, transcript: Transcript) -> float | None:
    try:
        return (await session.verify(transcript)).reward
    except Failure:
        return None


def answers(kind: str, n: int) -> list[tuple[str, str]]:
    """Gold answers with replies, half of them right, no two the same: nothing is to be had from a cache."""
    random = Random(f"{kind}/{n}")
    found: list[tuple[str, str]] = []
    for number in range(n):
        a, b, c = random.randint(2, 99), random.randint(2, 99), random.randint(10**4, 10**7)
        forms = {
            "numbers": [(f"{c}", f"{c:,}"), (f"{c / 8}", f"{c / 8}"), (f"-{c}", f"-{c}.0")],
            "expressions": [
                (rf"\frac{{{a}}}{{{c}}}", rf"\frac{{{2 * a}}}{{{2 * c}}}"),
                (rf"{a}\sqrt{{{c}}}", rf"\sqrt{{{a * a * c}}}"),
                (f"({a}x+{b})(x-{c})", f"{a}x^2-{a * c - b}x-{b * c}"),
                (rf"\{{{a}, {b}, {c}\}}", rf"\{{{c}, {b}, {a}\}}"),
                (rf"\left({a}, {c}\right]", rf"\left({a}, {c}\right]"),
            ],
        }[kind]
        gold, right = forms[number % len(forms)]
        said = right if number % 2 else str(c + a)
        found.append((gold, f"First we try $x = {b}$, and go on from there.\n\nIt follows: $\\boxed{{{said}}}$."))
    return found


def library(gold: str, reply: str) -> bool:
    from math_verify import parse, verify

    return verify(parse(f"${gold}$"), parse(reply))


def in_one_process(function: Callable[[str, str], Any], kind: str, n: int) -> float:
    for pair in answers(kind, 20):
        function(*pair)
    pairs = answers(kind, n)
    began = time.perf_counter()
    for pair in pairs:
        function(*pair)
    return n / (time.perf_counter() - began)


async def in_workers(size: int, kind: str, n: int) -> float:
    pool = GradingPool(size)
    try:
        await asyncio.gather(*[judged_as_in_the_environment(pool, *pair) for pair in answers(kind, 20 * size)])
        pairs = answers(kind, n)
        began = time.perf_counter()
        await asyncio.gather(*[judged_as_in_the_environment(pool, *pair) for pair in pairs])
        return n / (time.perf_counter() - began)
    finally:
        await pool.close()


async def judged_as_in_the_environment(pool: GradingPool, gold: str, reply: str) -> MathJudgement:
    return judge_at_once(gold, reply) or await pool.call(judge, gold, reply, deadline_s=5.0)


def mathematics(repeats: int) -> Iterator[dict[str, Any]]:
    """Ways of judging mathematics, in turn; the best of each counts."""
    logging.getLogger("latex2sympy2_extended").setLevel(logging.CRITICAL)
    preload()
    for kind, n in (("numbers", 2000), ("expressions", 300)):
        ways: dict[str, Callable[[str, int], float]] = {
            "bare": lambda kind, n: in_one_process(library, kind, n // 4),
            "in_process": lambda kind, n: in_one_process(judge, kind, n),
        }
        for size in range(1, (os.cpu_count() or 1) + 1):
            ways[f"workers_{size}"] = lambda kind, n, size=size: asyncio.run(in_workers(size, kind, n))
        rates = {way: max(measure(kind, n) for _ in range(repeats)) for way, measure in ways.items()}
        for way, rate in rates.items():
            row = {
                "case": "mathematics",
                "answers": kind,
                "way": way,
                "verdicts_per_s": round(rate, 1),
                "ratio_to_bare": round(rate / rates["bare"], 2),
            }
            print(row, flush=True)
            yield row


class Lag:
    """How late the event loop is, and how long it computes between two turns of a task that only sleeps."""

    def __init__(self) -> None:
        self.late_s: list[float] = []
        self.busy_s: list[float] = []

    async def watch(self) -> None:
        while True:
            began, busy = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK_S)
            self.late_s.append(time.perf_counter() - began - TICK_S)
            self.busy_s.append(time.thread_time() - busy)

    def to_json(self) -> dict[str, float]:
        ways = {"lag": self.late_s, "loop_cpu": self.busy_s}
        return {
            f"{name}_{which}_ms": round(1e3 * value, 2)
            for name, values in ways.items()
            for which, value in (("max", max(values)), ("p99", statistics.quantiles(values, n=100)[98]))
        }


def event_loop(rollouts: int) -> dict[str, Any]:
    """All rollouts in flight at once, each of them waiting for a slow verifier; all replies are right."""
    zeros, failures, began = [0], [0], time.perf_counter()

    def observe(outcome: Outcome) -> None:
        zeros[0] += outcome.verdict is not None and outcome.verdict.reward == 0
        failures[0] += outcome.failure is not None

    async def watched(config: CollectConfig) -> Lag:
        lag = Lag()
        watching = asyncio.create_task(lag.watch())
        await collect(config, observe=observe)
        watching.cancel()
        return lag

    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        lag = asyncio.run(watched(slow_run(Path(folder), rollouts)))
    elapsed = time.perf_counter() - began
    row = {
        "case": "event_loop",
        "in_flight": rollouts,
        "rollouts_per_s": round(rollouts / elapsed, 1),
        "false_zeros": zeros[0],
        "failures": failures[0],
        **lag.to_json(),
    }
    print(row, flush=True)
    return row


def slow_run(folder: Path, rollouts: int) -> CollectConfig:
    random = Random(rollouts)
    rows, scripts = [], []
    for number in range(rollouts):
        a, b = random.randint(2, 99), random.randint(2, 99)
        rows.append({"id": number, "a": a, "b": b})
        said = rf"\boxed{{\frac{{{a}}}{{{b}}}x\sin({b}x)+\frac{{{a}}}{{{b * b}}}\cos({b}x)}}"
        scripts.append({"task": number, "replies": [said]})
    for name, lines in (("rows", rows), ("script", scripts)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return CollectConfig(
        environments=(str(HERE / "environments" / "slow_algebra"),),
        model=ModelChoice(spec=f"scripted:{folder / 'script.jsonl'}"),
        input=folder / "rows.jsonl",
        output=folder / "rollouts.jsonl",
        concurrency=rollouts,
    )


def measure(repeats: int, rollouts: int) -> Iterator[dict[str, Any]]:
    yield from environments()
    yield from mathematics(repeats)
    # A process of its own, as a run has: here sympy's objects would be gone through at every garbage collection.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        runs = [alone.submit(event_loop, rollouts).result() for _ in range(repeats)]
    # What else the machine does only ever adds to the lag; a false zero of any run counts.
    lost = {name: sum(run[name] for run in runs) for name in ("false_zeros", "failures")}
    yield {**min(runs, key=lambda run: run["lag_max_ms"]), **lost}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rollouts", type=int, default=ROLLOUTS)
    parser.add_argument("--results", type=Path, default=measurements.ROOT / "bench" / "results")
    asked = parser.parse_args()
    measurements.write("verifiers", list(measure(asked.repeats, asked.rollouts)), asked.results)
