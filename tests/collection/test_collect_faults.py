"""A collect from an endpoint with faults: it ends, and every rollout has a verdict it deserves or a typed failure."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palestra.collection.collect import collect
from palestra.collection.config import ModelChoice
from palestra.collection.report import Report
from palestra.core.error_codes import ERRORS
from tests.collection.workspace import Workspace, lines_of, words
from tests.faulty_endpoint import CHAT, CODES, FAULTS, RESPONSES, Faulty
from tests.simulated_endpoint import Answer, Handler, Request, SimulatedEndpoint, always, chat_completion, response

ROLLOUTS = 300

JUDGED = """
from palestra import Environment, Sampling, Task, Transcript
from palestra.core.transcript import user_message


class JudgedTask(Task):
    text: str


class Judged(Environment[JudgedTask]):
    def prompt(self) -> str:
        return f"Say {self.task.text}."

    async def verify(self, transcript: Transcript) -> float:
        reply = await self.context.model("judge").respond([user_message(transcript.reply)], [], Sampling())
        return float("yes" in str(reply.items))
"""


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.rows(words(ROLLOUTS))
    return made


def play(place: Workspace, handlers: dict[str, Handler], **changes: Any) -> tuple[Report, SimulatedEndpoint]:
    """A collect from a simulated endpoint; what is under `model` and `role` goes to the choice of the model."""
    of_model = {"api": "chat", "first_delay_s": 0.05, **changes.pop("model", {})}
    place.remarks = []

    async def main() -> tuple[Report, SimulatedEndpoint]:
        async with SimulatedEndpoint(handlers) as endpoint:
            model = ModelChoice(spec="openai:m", base_url=endpoint.base_url, **of_model)
            config = place.config(**{"model": model, **changes})
            return await collect(config, show=place.remarks.append), endpoint

    return asyncio.run(main())


def assert_all_accounted_for(place: Workspace, report: Report, rollouts: int = ROLLOUTS) -> None:
    """Each rollout has one verdict or one typed failure, and each reward is the one it deserves."""
    judged, failed = lines_of(place.paths.rollouts), lines_of(place.paths.failures)
    keys = [line["palestra"]["key"] for line in [*judged, *failed]]
    assert len(keys) == len(set(keys)) == rollouts
    assert (report.judged, sum(report.failures.values())) == (len(judged), len(failed))
    for line in judged:
        assert line["reward"] == float(line["palestra"]["task"]["text"] == "bee")
    for line in failed:
        assert "reward" not in line
        assert line["palestra"]["failure"]["class"] in ERRORS
        assert line["palestra"]["failure"]["boundary"] == "model"


@pytest.mark.slow
@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_a_fifth_of_the_calls(place: Workspace, fault: str, api: str) -> None:
    # Sending gigabytes takes the simulated endpoint long, and it holds up the event loop that it shares with the run: a
    # fifth of 64 calls at once are seconds in which no other call can be answered.
    rollouts, call_timeout_s = (80, 20.0) if fault == "50 MB" else (ROLLOUTS, 1.0)
    faulty = Faulty("bee", [fault])
    model = {"api": api, "call_timeout_s": call_timeout_s}
    report, endpoint = play(place, faulty.handlers, model=model, limit=rollouts)
    assert_all_accounted_for(place, report, rollouts)
    assert faulty.hit >= 0.1 * rollouts
    assert len(endpoint.requests) <= 1.6 * rollouts
    assert set(report.failures) <= {CODES.get(fault, "model-bad-reply")}
    assert report.exit_code == 0


@pytest.mark.parametrize("api", ["auto", "chat", "responses"])
def test_all_faults_together_at_a_fifth_of_the_calls(place: Workspace, api: str) -> None:
    faulty = Faulty("bee", [fault for fault in FAULTS if fault != "50 MB"], seed=1)
    report, endpoint = play(place, faulty.handlers, model={"api": api, "call_timeout_s": 0.5})
    assert_all_accounted_for(place, report)
    assert faulty.hit >= 0.1 * ROLLOUTS
    assert len(endpoint.requests) <= 1.6 * ROLLOUTS
    assert report.exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.6, 1.0])
def test_faults_at_most_calls_are_typed_failures_that_a_resume_makes_good(place: Workspace, share: float) -> None:
    kinds = ["no JSON", "wrong schema", "error body", "empty body"]
    report, endpoint = play(place, Faulty("bee", kinds, share=share).handlers)
    assert_all_accounted_for(place, report)
    assert len(endpoint.requests) <= 1.6 * ROLLOUTS
    assert set(report.failures) == {"model-bad-reply"}
    assert report.exit_code == 1
    report, _ = play(place, Faulty("bee", kinds, share=0).handlers, resume=True)
    assert (report.stored, report.exit_code) == (ROLLOUTS, 0)


def gone_after(calls: int, reply: Any, until: Callable[[], bool] = lambda: False) -> Handler:
    """Answers so many calls, and then 502 until something is true."""
    down = Answer("bad gateway", status=502)
    return lambda request: reply if request["number"] < calls or until() else down


def test_an_outage_costs_no_rollout(place: Workspace) -> None:
    probes = iter(range(3))
    handler = gone_after(100, chat_completion("bee"), lambda: bool(place.remarks) and next(probes, None) is None)
    report, endpoint = play(place, {CHAT: handler}, concurrency=64)
    assert (report.stored, report.failures, report.exit_code) == (ROLLOUTS, {}, 0)
    assert len(endpoint.requests) <= ROLLOUTS + 64 + 3
    assert len(place.remarks) == 2
    assert f"{endpoint.base_url} is not serving: {endpoint.base_url} answered 502" in place.remarks[0]
    assert "serves again" in place.remarks[1]


def test_an_endpoint_that_stays_away_ends_the_run_and_its_rollouts_are_owed_again(place: Workspace) -> None:
    handlers: dict[str, Handler] = {CHAT: gone_after(100, chat_completion("bee"))}
    report, endpoint = play(place, handlers, concurrency=64, endpoint_patience_s=1.0)
    assert report.exit_code == 1
    assert report.stop_reason is not None
    assert report.stop_reason.startswith(f"{endpoint.base_url} has served no call for 1 s: ")
    assert (report.failures, report.stored >= 36, report.metrics != []) == ({}, True, True)
    assert lines_of(place.paths.failures) == []
    report, _ = play(place, {CHAT: always(chat_completion("bee"))}, resume=True)
    assert (report.stored, report.exit_code) == (ROLLOUTS, 0)


def test_nobody_at_the_address_is_told_at_once(place: Workspace) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        report = place.collect(model=ModelChoice(spec="openai:m", base_url=url), endpoint_patience_s=1.0)
    assert (report.exit_code, report.stored, report.failures) == (1, 0, {})
    assert place.remarks[0].startswith(f"{url} is not serving and never was (is its base URL right?): ")
    assert str(report.stop_reason).startswith(f"{url} has served no call for 1 s: no connection to {url}")


REFUSALS = [
    (Answer({"error": {"message": "bad key"}}, 401), "Set the environment variable MY_KEY, which is not set"),
    (Answer({"error": {"message": "not yours"}}, 403), "Set the environment variable MY_KEY"),
    (Answer("", 404), "Check the base URL http://127.0.0.1:"),
    (Answer({"error": {"message": "The model `m` does not exist"}}, 404), "and the model name 'm'"),
    (Answer({"error": {"message": "no money"}}, 402), "Add credit to the account of the key in MY_KEY"),
    (Answer({"error": {"code": "insufficient_quota"}}, 429), "Add credit to the account of the key in MY_KEY"),
]


@pytest.mark.parametrize(("answer", "advice"), REFUSALS)
def test_a_refusal_of_every_call_ends_the_run_with_what_to_mend(place: Workspace, answer: Answer, advice: str) -> None:
    model = {"api_key_env": "MY_KEY"}
    report, endpoint = play(place, {CHAT: always(answer)}, model=model, concurrency=16)
    assert (report.exit_code, report.stored, report.failures) == (1, 0, {})
    assert advice in str(report.stop_reason)
    assert len(str(report.stop_reason).splitlines()) == 1
    assert len(endpoint.requests) <= 16
    report, _ = play(place, {CHAT: always(chat_completion("bee"))}, resume=True)
    assert (report.stored, report.given_up) == (ROLLOUTS, 0)


def test_after_a_refusal_no_call_goes_out_that_is_not_under_way_yet(place: Workspace) -> None:
    place.rows(words(2000))
    refused: list[int] = []

    def answer(request: Request) -> Any:
        if request["number"] < 500:
            return chat_completion("bee")
        refused.append(request["number"])
        return Answer({"error": {"message": "expired"}}, 401, delay_s=0.05)

    report, _ = play(place, {CHAT: answer}, concurrency=256)
    assert report.exit_code == 1
    assert len(refused) <= 256
    assert report.failures == {}


def test_a_refusal_of_the_judge_ends_the_run_too(place: Workspace) -> None:
    place.environment("judged", JUDGED)
    judging = {RESPONSES: always(Answer({"error": {"message": "bad key"}}, 401))}

    async def main() -> Report:
        async with SimulatedEndpoint(judging) as judge:
            config = place.config(
                environments=(str(place.folder / "judged"),),
                roles={"judge": ModelChoice(spec="openai:j", base_url=judge.base_url, api_key_env="JUDGE_KEY")},
            )
            return await collect(config)

    report = asyncio.run(main())
    assert (report.exit_code, report.stored, report.failures) == (1, 0, {})
    assert "Set the environment variable JUDGE_KEY" in str(report.stop_reason)


def test_a_judge_that_is_gone_for_a_while_costs_no_rollout(place: Workspace) -> None:
    place.environment("judged", JUDGED)
    judging = {RESPONSES: gone_after(50, response(text="yes"), lambda: bool(place.remarks))}

    async def main() -> Report:
        async with SimulatedEndpoint(judging) as judge:
            role = ModelChoice(spec="openai:j", base_url=judge.base_url, first_delay_s=0.05)
            config = place.config(environments=(str(place.folder / "judged"),), roles={"judge": role})
            return await collect(config, show=place.remarks.append)

    report = asyncio.run(main())
    assert (report.stored, report.failures, report.exit_code) == (ROLLOUTS, {}, 0)
    assert {line["reward"] for line in lines_of(place.paths.rollouts)} == {1.0}


def test_a_signal_while_the_endpoint_is_waited_for_ends_the_run(place: Workspace) -> None:
    def show(text: str) -> None:
        if "is not serving" in text:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    async def main() -> Report:
        async with SimulatedEndpoint({CHAT: gone_after(50, chat_completion("bee"))}) as endpoint:
            model = ModelChoice(spec="openai:m", base_url=endpoint.base_url, api="chat", first_delay_s=0.05)
            async with asyncio.timeout(30):
                return await collect(place.config(model=model), show=show)

    report = asyncio.run(main())
    assert (report.exit_code, report.failures) == (143, {})
    assert report.stored == len(lines_of(place.paths.rollouts)) < ROLLOUTS
