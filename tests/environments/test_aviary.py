"""aviary: recorded rollouts, hostile calls, environments that block or break, and collection from end to end."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aviary.envs.gsm8k", reason="needs the extra aviary")

from aviary.core import Environment, Message, TaskDataset, Tool

from palestra.cli.main import main
from palestra.conformance.cases import play
from palestra.conformance.probes import hostile_calls
from palestra.core.discovery import find
from palestra.core.errors import Failure, PalestraError
from palestra.environments.aviary.arithmetic import require_bounded
from palestra.environments.aviary.episode import items_of
from palestra.environments.aviary.lanes import Lane
from palestra.environments.aviary.tasks import PAGES_KEPT, RecentPages
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost

ROW: dict[str, Any] = {"task_idx": 0, "responses_create_params": {"input": []}}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": name, "arguments": json.dumps(arguments)}


def played(replies: list[Any], row: dict[str, Any] = ROW, name: str = "aviary", **options: Any) -> Any:
    async def run() -> Any:
        source = find(name)
        host = LocalHost(source, source.options(options), GradingPool(1))
        try:
            return await play(host, row, replies)
        finally:
            await host.close()

    return asyncio.run(run())


def here(dataset: str) -> dict[str, Any]:
    return {"dataset": f"{__name__}:{dataset}", "source": "package"}


class Told(Environment[None]):
    """An environment that does on a call of `act` what the class below it says."""

    closed = 0

    async def reset(self) -> tuple[list[Message], list[Tool]]:
        self.tools = [Tool.from_function(self.act, allow_empty_param_descriptions=True)]
        return [Message(content="[1, 2]"), Message(content="state 1", info={"is_env_state": True})], self.tools

    def act(self, how: str) -> str:
        """Act.

        Args:
            how: In which way.
        """
        return how

    async def step(self, action: Message) -> tuple[list[Message], float, bool, bool]:
        if action.tool_calls[0].function.arguments["how"] == "block":  # type: ignore[attr-defined]
            time.sleep(1.0)  # noqa: ASYNC251 - blocking is what it is about
        if action.tool_calls[0].function.arguments["how"] == "break":  # type: ignore[attr-defined]
            raise RuntimeError("broken")
        return list(await self.exec_tool_calls(action)), 0.1, False, False  # type: ignore[arg-type]

    async def close(self) -> None:
        type(self).closed += 1


class ToldDataset(TaskDataset[Told]):
    def __len__(self) -> int:
        return 2

    def get_new_env_by_idx(self, idx: int) -> Told:
        return Told()


class TestRecorded:
    def test_the_recorded_rollouts_keep_their_reward(
        self, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
        recorded = shared / "data" / "nemo_gym" / "aviary" / "recorded.jsonl"
        arguments = {"split": "train", "hf_source": str(shared / "data" / "real" / "gsm8k")}
        command = ["verify", str(recorded), "--env", "aviary", "--recorded", "--json", "--option", "source=package"]
        assert main([*command, "--option", f"arguments={json.dumps(arguments)}"]) == 0
        report = json.loads(capsys.readouterr().out)
        lines = [json.loads(line)["recorded"] for line in recorded.read_text().splitlines()]
        assert {line["reward"] for line in lines} == {0.0, 1.0}
        assert (report["agree"], report["disagree"], report["failed"]) == (len(lines), [], [])

    def test_a_conversation_about_another_datasets_task_is_not_judged(
        self, shared: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        recorded = shared / "data" / "nemo_gym" / "aviary" / "recorded.jsonl"
        assert main(["verify", str(recorded), "--env", "aviary", "--recorded", "--json"]) != 0
        report = json.loads(capsys.readouterr().out)
        assert (report["agree"], report["disagree"]) == (0, [])
        assert "begins with 'Weng earns" in " ".join(failure["reason"] for failure in report["failed"])

    def test_the_numbers_of_tasks_are_those_of_aviary(
        self, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
        folder = shared / "data" / "real" / "gsm8k"
        rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
        for split, number, place in (("train", 0, 1), ("train", 3, 4), ("train", 4, 6), ("val", 0, 0), ("val", 2, 10)):
            arguments = {"split": split, "hf_source": str(folder)}
            transcript, _ = played(["?"], {**ROW, "task_idx": number}, source="package", arguments=arguments)
            assert transcript.prompt[0]["content"] == rows[place]["question"]

    def test_the_tools_are_those_of_the_recorded_rollouts(self, shared: Path) -> None:
        recorded = shared / "data" / "nemo_gym" / "aviary" / "recorded.jsonl"
        tools = json.loads(recorded.read_text().splitlines()[0])["recorded"]["response"]["tools"]

        async def offered() -> Any:
            source = find("aviary")
            host = LocalHost(source, source.options({}), GradingPool(1))
            session = await host.open(ROW, seed=0)
            await session.close()
            await host.close()
            return session.tools

        assert list(asyncio.run(offered())) == tools

    @pytest.mark.parametrize("name", ["example.jsonl", "gsm8k_example.jsonl", "hotpotqa_example.jsonl"])
    def test_the_rows_of_the_original_are_accepted(self, shared: Path, name: str) -> None:
        variant = "aviary_hotpotqa" if "hotpotqa" in name else "aviary"
        for line in (shared / "data" / "nemo_gym" / "aviary" / name).read_text().splitlines():
            assert played(["no call"], json.loads(line), variant)[1].reward == 0.0


@pytest.mark.parametrize("name", ["aviary_gsm8k", "aviary_hotpotqa"])
def test_hostile_calls_are_answered_with_text_and_never_pay(name: str) -> None:
    tools = [
        {"name": tool, "parameters": {"properties": {argument: {}}}}
        for tool, argument in (
            [("calculator", "expr"), ("submit_answer", "answer")]
            if name == "aviary_gsm8k"
            else [("search", "entity"), ("lookup", "keyword"), ("submit_answer", "answer")]
        )
    ]
    for _, bad in hostile_calls(tuple(tools)):
        transcript, verdict = played([[bad], "I am done."], name=name)
        answers = [item for item in transcript.output if item.get("role") == "user" or "output" in item]
        assert answers
        assert verdict.reward <= 0.0


@pytest.mark.parametrize("name", ["gsm8k", "hotpotqa"])
def test_every_shipped_answer_is_accepted_and_another_is_not(name: str) -> None:
    folder = find("aviary").folder
    for number, line in enumerate((folder / f"{name}.jsonl").read_text().splitlines()):
        answer = json.loads(line)["answer"]
        wrong = answer + 1 if name == "gsm8k" else f"{answer} or not"
        row = {**ROW, "task_idx": number}
        assert played([[call("submit_answer", answer=str(answer))]], row, dataset=name)[1].reward == 1.0
        assert played([[call("submit_answer", answer=str(wrong))]], row, dataset=name)[1].reward == 0.0


def test_a_variant_is_listed_with_its_own_tools() -> None:
    assert find("aviary_gsm8k").manifest.tools == find("aviary").manifest.tools == ("calculator", "submit_answer")
    assert find("aviary_hotpotqa").manifest.tools == ("search", "lookup", "submit_answer")


def test_every_shipped_answer_of_hotpotqa_stands_in_the_pages() -> None:
    folder = find("aviary").folder
    pages = (folder / "pages.jsonl").read_text().replace("\\n", " ")
    for line in (folder / "hotpotqa.jsonl").read_text().splitlines():
        assert json.loads(line)["answer"] in pages


def test_an_environment_that_blocks_leaves_the_loop_free() -> None:
    async def run() -> tuple[float, float]:
        source = find("aviary")
        host = LocalHost(source, source.options(here("ToldDataset")), GradingPool(1))
        lag = 0.0
        playing = asyncio.create_task(play(host, ROW, [[call("act", how="block")], "done"]))
        while not playing.done():
            began = time.monotonic()
            await asyncio.sleep(0.005)
            lag = max(lag, time.monotonic() - began)
        await host.close()
        return lag, (await playing)[1].reward

    lag, reward = asyncio.run(run())
    assert reward == 0.1
    assert lag < 0.7


def test_an_environment_that_takes_too_long_is_a_failure_and_others_go_on() -> None:
    async def run() -> float:
        source = find("aviary")
        options = {**here("ToldDataset"), "step_timeout_s": 0.2, "threads": 1}
        host = LocalHost(source, source.options(options), GradingPool(1))
        try:
            with pytest.raises(Failure) as caught:
                await play(host, ROW, [[call("act", how="block")], "done"])
            assert caught.value.boundary == "environment"
            # The stuck thread is lent no more: this would have to wait for it.
            return (await play(host, ROW, [[call("act", how="quick")], "done"]))[1].reward
        finally:
            await host.close()

    assert asyncio.run(run()) == 0.1


def test_what_an_environment_raises_is_a_failure_and_it_is_closed() -> None:
    before = Told.closed
    with pytest.raises(Failure, match="RuntimeError: broken") as caught:
        played([[call("act", how="break")]], **here("ToldDataset"))
    assert caught.value.boundary == "environment"
    assert Told.closed == before + 1


def test_step_rewards_are_summed_and_steps_end() -> None:
    transcript, verdict = played([[call("act", how="x")]], **here("ToldDataset"), max_steps=7)
    assert transcript.step_rewards == (0.1,) * 7
    assert verdict.reward == 0.7
    assert verdict.metrics == {"steps": 7, "finished": False}


def test_content_that_looks_like_json_is_kept_and_states_are_marked() -> None:
    transcript, _ = played(["done"], **here("ToldDataset"))
    assert transcript.prompt == (
        {"type": "message", "role": "user", "content": "[1, 2]"},
        {"type": "message", "role": "user", "content": "state 1", "is_env_state": True},
    )


def test_of_content_in_parts_the_texts_are_kept() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}]
    assert [item["content"] for item in items_of(Message(content=json.dumps(parts)))] == ["a", "b"]
    assert [item["content"] for item in items_of(Message(content="5"))] == ["5"]


def test_transitions_hold_the_conversation_after_each_step() -> None:
    replies = [[call("calculator", expr="1+1")], [call("submit_answer", answer="15")]]
    transcript, verdict = played(replies, return_transitions=True)
    everything = [*transcript.prompt, *transcript.output]
    assert verdict.metrics["transitions"] == [everything[:3], everything]
    assert verdict.metrics["contains_transitions"] is True
    assert verdict.metrics["group_id"] == "0"


def test_a_dataset_without_an_end_makes_tasks_as_it_goes() -> None:
    story = [[call("print_story", story="once upon a time there")]]
    assert played(story, {**ROW, "task_idx": 99}, dataset="dummy", source="package")[1].reward == 1.0


def test_a_task_that_the_dataset_does_not_have_is_refused() -> None:
    with pytest.raises(Failure, match="task_idx is 28; the dataset has 28 tasks") as caught:
        played(["?"], {**ROW, "task_idx": 28})
    assert caught.value.code == "task-invalid"


@pytest.mark.parametrize(
    "options",
    [
        {"dataset": "gsm9k"},
        {"dataset": "gsm9k", "source": "package"},
        {"dataset": "no.such:Thing", "source": "package"},
        {"dataset": "gsm8k", "source": "package", "arguments": {"spilt": "train"}},
        {"dataset": "hotpotqa", "pages": "/no/such/file"},
    ],
)
def test_what_cannot_be_loaded_is_said_before_any_step(options: dict[str, Any]) -> None:
    with pytest.raises(PalestraError) as caught:
        played(["?"], **options)
    assert caught.value.code == "invalid-option"


def test_pages_of_a_file_are_searched(tmp_path: Path) -> None:
    pages = tmp_path / "pages.jsonl"
    pages.write_text(json.dumps({"title": "R&D <b>", "text": "Fish & chips.\nMore."}) + "\n")
    transcript, _ = played([[call("search", entity="r&d <b>")], "done"], name="aviary_hotpotqa", pages=str(pages))
    assert transcript.calls[0].output == "Fish & chips."


EXPRESSIONS: dict[str, Callable[[], str]] = {
    "tower": lambda: "9**9**9**9",
    "product": lambda: "*".join(["9**999"] * 50),
    "rounding": lambda: "round(7, -10**9)",
    "a long number": lambda: "9" * 5000,
    "a long sum": lambda: "+".join(["1"] * 100_000),
    "deep brackets": lambda: "(" * 50_000 + "1" + ")" * 50_000,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_that_would_fill_the_machine_are_refused_at_once(name: str) -> None:
    began = time.monotonic()
    with pytest.raises((ValueError, SyntaxError)):
        require_bounded(EXPRESSIONS[name]())
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    "text", ["12 * (50 / 60)", "1.05**30 * 2000", "2**64 - 1", "round(7/3, 2)", "-(3-5)%7", "max(1,2)"]
)
def test_ordinary_expressions_are_left_alone(text: str) -> None:
    require_bounded(text)


def test_a_lane_that_hangs_is_known_to_be_stuck() -> None:
    async def run() -> bool:
        lane = Lane()

        async def hang() -> None:
            time.sleep(1.0)  # noqa: ASYNC251 - what the lane is for

        with pytest.raises(TimeoutError):
            await lane.call(hang, timeout_s=0.1)
        return lane.is_stuck

    assert asyncio.run(run())


def test_pages_of_wikipedia_are_kept_up_to_a_bound() -> None:
    pages = RecentPages()
    for number in range(3 * PAGES_KEPT):
        pages[str(number)] = "page"
    assert len(pages) == PAGES_KEPT
    assert list(pages)[-1] == str(3 * PAGES_KEPT - 1)


def test_wikipedia_is_asked_only_for_pages_that_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Answer:
        status_code = 200
        text = "<p>Warsaw is a city on the Vistula.</p>"

        def raise_for_status(self) -> None:
            return

    async def fetch(client: Any, url: str, **keywords: Any) -> Answer:
        asked.append(url)
        return Answer()

    monkeypatch.setattr("aviary.envs.hotpotqa.env.fetch_with_retry", fetch)
    search = [call("search", entity="Old Warsaw")]
    transcript, _ = played([search, search, "done"], name="aviary_hotpotqa", pages="wikipedia")
    assert [entry.output for entry in transcript.calls] == ["Warsaw is a city on the Vistula.."] * 2
    assert asked == ["https://en.wikipedia.org/w/index.php?search=Old+Warsaw"]


def test_the_loop_that_hides_earlier_states_plays_it(tmp_path: Path) -> None:
    script, rows, output = (tmp_path / name for name in ("script.jsonl", "rows.jsonl", "out.jsonl"))
    rows.write_text(json.dumps(ROW) + "\n")
    script.write_text(json.dumps({"task": "*", "replies": [[call("act", how="x")], "done"]}) + "\n")
    options = [f"{name}={value}" for name, value in here("ToldDataset").items()]
    command = ["collect", "aviary", "--input", str(rows), "--model", f"scripted:{script}", "--output", str(output)]
    for option in options:
        command += ["--option", option]
    assert main([*command, "--agent", "latest_state_loop"]) == 0
    assert json.loads(output.read_text())["reward"] == 0.1


def test_nothing_is_fetched_to_start(tmp_path: Path) -> None:
    (tmp_path / "script.jsonl").write_text('{"task": "*", "replies": ["I do not know."]}\n')
    program = (
        "import socket, sys\n"
        "asked = []\n"
        "def refused(host, *others, **more):\n"
        "    asked.append(host)\n"
        "    raise OSError('no network')\n"
        "socket.getaddrinfo = refused\n"
        "from palestra.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.exit(f'asked for {asked}' if asked else code)\n"
    )
    words = ["collect", "aviary", "--limit", "1", "--model", "scripted:script.jsonl", "--output", "out.jsonl"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    command = [sys.executable, "-c", program, *words]
    found = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (found.returncode, found.stderr.count("LiteLLM")) == (0, 0), found.stderr


def test_a_collected_run_can_be_verified_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = find("aviary").folder
    answers = [json.loads(line)["answer"] for line in (folder / "gsm8k.jsonl").read_text().splitlines()]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({**ROW, "task_idx": number, "id": str(number)}) + "\n" for number in range(3)))
    script = tmp_path / "script.jsonl"
    replies = [[[call("calculator", expr="1+1")], [call("submit_answer", answer=str(answer))]] for answer in answers]
    script.write_text("".join(json.dumps({"task": str(n), "replies": replies[n]}) + "\n" for n in range(3)))
    output = tmp_path / "out.jsonl"
    model = f"scripted:{script}"
    assert main(["collect", "aviary", "--input", str(rows), "--model", model, "--output", str(output)]) == 0
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["reward"] for line in lines] == [1.0] * 3
    first = min(lines, key=lambda line: line["_ng_task_index"])
    assert first["responses_create_params"]["input"][0]["content"].startswith("A baker")
    assert [tool["name"] for tool in first["responses_create_params"]["tools"]] == ["calculator", "submit_answer"]
    assert first["palestra"]["step_rewards"] == [0.0, 1.0]
    capsys.readouterr()
    assert main(["verify", str(output), "--env", "aviary", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agree"] == 3
