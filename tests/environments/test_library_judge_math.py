"""library_judge_math against recorded rollouts, and what its cases cannot show."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("math_verify", reason="needs the extra math")

from palestra.core.discovery import find
from palestra.core.errors import Failure
from palestra.core.transcript import Transcript, assistant_message
from palestra.core.verdict import Verdict
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost

PROBLEM = {"question": "What is 3 + 4?", "expected_answer": "7"}
HEAVY = r"\sin(\sin(x^2+y)) + \cos(\cos(x+y^2)) + \begin{pmatrix}a&b\\c&d\end{pmatrix}"


def judge(*conversations: tuple[dict[str, Any], list[str]], **options: Any) -> list[Verdict | Failure]:
    """Judge conversations one after the other, by one worker: a row and the messages of the model each."""

    async def judged() -> list[Verdict | Failure]:
        source = find("library_judge_math")
        pool = GradingPool(1)
        host = LocalHost(source, source.options(options), pool)
        try:
            return [await judge_one(host, row, replies) for row, replies in conversations]
        finally:
            await host.close()
            await pool.close()

    return asyncio.run(judged())


async def judge_one(host: LocalHost, row: dict[str, Any], replies: list[str]) -> Verdict | Failure:
    try:
        session = await host.open(row, seed=0)
        output = tuple(assistant_message(reply) for reply in replies)
        return await session.verify(Transcript(tuple(session.prompt), output))
    except Failure as failure:
        return failure


def verdict_of(outcome: Verdict | Failure) -> Verdict:
    assert isinstance(outcome, Verdict), outcome
    return outcome


def reply_of(recorded: dict[str, Any]) -> str:
    messages = [item for item in recorded["response"]["output"] if item["type"] == "message"]
    return "".join(part["text"] for message in messages for part in message["content"])


@pytest.mark.parametrize("compatible", [False, True])
def test_recorded_rollouts_keep_their_library_reward(shared: Path, compatible: bool) -> None:
    paths = sorted((shared / "data" / "nemo_gym" / "math_with_judge").glob("recorded*.jsonl"))
    entries = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    # The sequence x_2016 has answers of a thousand digits, for which math-verify's own comparison takes long.
    conversations = [(entry["row"], [reply_of(entry["recorded"])]) for entry in entries]
    verdicts = judge(*conversations, compatible=compatible, deadline_s=60.0)
    expected = [(entry["recorded"]["library_reward"], entry["recorded"]["extracted_answer"]) for entry in entries]
    metrics = [verdict_of(verdict).metrics for verdict in verdicts]
    assert entries
    assert [(values["library_reward"], values["extracted_answer"]) for values in metrics] == expected


def test_an_answer_that_outlasts_its_deadline_is_wrong() -> None:
    verdict = verdict_of(judge((PROBLEM, [f"\\boxed{{{HEAVY}}}"]), deadline_s=0.001)[0])
    assert verdict.reward == 0.0
    assert verdict.metrics["judged"] == "refused"
    assert verdict.reason == "the answer could not be evaluated within 0.001 s"


def test_a_worker_that_dies_is_a_failure_and_no_reward() -> None:
    async def killed() -> None:
        source = find("library_judge_math")
        pool = GradingPool(1)
        host = LocalHost(source, source.options({}), pool)
        try:
            session = await host.open(PROBLEM, seed=0)
            transcript = Transcript(tuple(session.prompt), (assistant_message(r"\boxed{7.0}"),))
            judging = asyncio.create_task(session.verify(transcript))
            while not pool.busy:  # noqa: ASYNC110  the pool tells nobody
                await asyncio.sleep(0.01)
            next(iter(pool.busy)).process.kill()
            with pytest.raises(Failure) as caught:
                await judging
            assert (caught.value.boundary, caught.value.code) == ("verifier", "worker-died")
            assert caught.value.retryable
            assert (await session.verify(transcript)).reward == 1.0
        finally:
            await host.close()
            await pool.close()

    asyncio.run(killed())


def test_messages_are_one_text_and_rows_that_cannot_be_judged_are_failures() -> None:
    split, twice, unreadable, without_question, without_gold, number = judge(
        (PROBLEM, [r"It is \boxed{", "7}"]),
        (PROBLEM, [r"\boxed{7}", r"\boxed{8}"]),
        ({**PROBLEM, "expected_answer": r"\frac{1}{"}, [r"\boxed{7}"]),
        ({**PROBLEM, "question": ""}, [r"\boxed{7}"]),
        ({**PROBLEM, "expected_answer": None}, [r"\boxed{7}"]),
        ({**PROBLEM, "expected_answer": 7}, [r"\boxed{7}"]),
    )
    assert verdict_of(split).reward == 1.0
    assert verdict_of(twice).metrics["judged"] == "hedged"
    assert isinstance(unreadable, Failure)
    assert unreadable.code == "verifier-error"
    assert "cannot be judged by" in unreadable.message
    for refused in (without_question, without_gold, number):
        assert isinstance(refused, Failure)
        assert refused.boundary == "environment"
