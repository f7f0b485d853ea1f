"""xlam_fc: recorded rewards, real gold calls and changed ones, generated requests, collection."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main
from palestra.core.discovery import find
from palestra.core.errors import Failure
from palestra.core.task import content_hash
from palestra.core.transcript import Transcript, assistant_message
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from tests.environments.judging import assert_recorded_rewards, judge_in, say

NAME = "xlam_fc"
REAL = ("apibank_l1", "apibank_l2", "sealtool", "toolalpaca")
Called = tuple[str, Any]


def called(name: str, arguments: Any) -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"type": "function_call", "call_id": "c", "name": name, "arguments": text}


def row_of(expected: list[dict[str, Any]], tools: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"id": 1, "responses_create_params": {"input": "x", "tools": tools or []}, "expected_answers": expected}


def rewards(judged: list[tuple[dict[str, Any], list[Called]]], **options: Any) -> list[float]:
    """The rewards of rows and the calls made for them, judged by one host."""

    async def all_of_them() -> list[float]:
        source, pool = find(NAME), GradingPool(1)
        host = LocalHost(source, source.options(options), pool)
        found: list[float] = []
        try:
            for row, calls in judged:
                session = await host.open(row, seed=0)
                output = [called(name, arguments) for name, arguments in calls]
                verdict = await session.verify(Transcript(session.prompt, (*output, assistant_message("Done."))))
                assert verdict.reward == 1.0 or verdict.reason
                found.append(verdict.reward)
        finally:
            await host.close()
            await pool.close()
        return found

    return asyncio.run(all_of_them())


def changed(calls: list[Called]) -> Iterator[list[Called]]:
    """Each with one call renamed, dropped, added or repeated, or with one argument changed, dropped or added."""
    yield [*calls, ("further", {})]
    for place, (name, arguments) in enumerate(calls):
        before, after = calls[:place], calls[place + 1 :]
        yield [*before, *after]
        yield [*calls, (name, arguments)]
        yield [*before, (f"{name}_2", arguments), *after]
        yield [*before, (name, {**arguments, "further_argument": 1}), *after]
        for argument, value in arguments.items():
            yield [*before, (name, {**arguments, argument: other_than(value)}), *after]
            yield [*before, (name, {key: entry for key, entry in arguments.items() if key != argument}), *after]


def other_than(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value} changed" if isinstance(value, str) else [*value, "changed"]


@pytest.mark.parametrize("name", REAL)
def test_real_gold_calls_score_and_changed_ones_do_not(name: str, shared: Path) -> None:
    rows = json.loads((shared / "data" / "real" / "tool_calls" / f"{name}.json").read_text())
    right: list[tuple[dict[str, Any], list[Called]]] = []
    wrong: list[tuple[dict[str, Any], list[Called]]] = []
    for entry in rows:
        row = row_of(entry["answers"])
        calls = [
            (call.get("name", call.get("tool")), call.get("arguments", call.get("parameters")))
            for call in entry["answers"]
        ]
        right += [(row, calls), (row, calls[::-1])]
        wrong += [(row, calls) for calls in changed(calls)]
    assert len(wrong) > 4 * len(rows)
    assert set(rewards(right)) == {1.0}
    assert set(rewards(wrong)) == {0.0}


def test_the_recorded_rewards_come_out_again(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_recorded_rewards(shared / "data" / "nemo_gym" / NAME / "recorded.jsonl", NAME, capsys)


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4])
def test_generated_requests_pay_the_right_calls_and_no_changed_ones(difficulty: int) -> None:
    source = find(NAME)
    rows = list(source.load().generate(3, 60, source.options({"difficulty": difficulty})))
    gold = [[(call["name"], call["arguments"]) for call in row["expected_answers"]] for row in rows]
    assert set(rewards(list(zip(rows, gold, strict=True)))) == {1.0}
    wrong = [(row, calls) for row, right in zip(rows, gold, strict=True) for calls in changed(right)]
    assert set(rewards(wrong)) == {0.0}
    for row in rows:
        tools = {tool["name"]: tool["parameters"] for tool in row["responses_create_params"]["tools"]}
        asked = row["responses_create_params"]["input"][1]["content"]
        assert row["expected_answers"] or difficulty == 4
        for call in row["expected_answers"]:
            parameters = tools[call["name"]]
            assert set(parameters["required"]) <= set(call["arguments"]) <= set(parameters["properties"])
            for name, value in call["arguments"].items():
                assert value != parameters["properties"][name].get("default")
                assert all(
                    str(part).lower() in asked.lower() for part in (value if isinstance(value, list) else [value])
                )


def test_requests_become_harder() -> None:
    source = find(NAME)
    sizes: list[tuple[int, int]] = []
    for difficulty in (1, 2, 3, 4):
        rows = list(source.load().generate(1, 200, source.options({"difficulty": difficulty})))
        calls = sum(len(row["expected_answers"]) for row in rows)
        sizes.append((calls, sum(len(row["responses_create_params"]["tools"]) for row in rows)))
        assert any(not row["expected_answers"] for row in rows) == (difficulty == 4)
        assert len({content_hash({**row, "id": 0}) for row in rows}) > 190
    assert sizes == sorted(sizes)


def test_an_expected_call_without_a_name_is_refused() -> None:
    for entry in ({"arguments": {}}, {"name": "a"}, {"name": "a", "arguments": "{}"}, {"name": "a", "tool": "b"}):
        with pytest.raises(Failure) as caught:
            judge_in(NAME, row_of([entry]), say("x"))
        assert caught.value.code == "task-invalid"


def test_huge_arguments_are_read_elsewhere_and_judged_alike() -> None:
    expected = {"name": "put", "arguments": {"text": "x" * 200_000}}
    calls: list[Called] = [("put", expected["arguments"])]
    assert rewards([(row_of([expected]), calls), (row_of([expected]), [("put", "[" * 500_000)])]) == [1.0, 0.0]


def test_scripted_gold_calls_are_collected_with_full_reward(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (find(NAME).folder / "tasks.jsonl").read_text().splitlines()]
    script, output = tmp_path / "script.jsonl", tmp_path / "out.jsonl"
    with script.open("w") as file:
        for row in rows:
            calls = [called(call["name"], call["arguments"]) for call in row["expected_answers"]]
            calls = [{**call, "call_id": f"c{number}"} for number, call in enumerate(calls)]
            replies = [calls, "I have tried."] if calls else ["No function fits."]
            file.write(json.dumps({"task": content_hash(row), "replies": replies}) + "\n")
    assert main(["collect", NAME, "--model", f"scripted:{script}", "--output", str(output)]) == 0
    got = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["reward"] for line in got] == [1.0] * len(rows)
    answers = [
        item["output"] for line in got for item in line["response"]["output"] if item["type"] == "function_call_output"
    ]
    assert set(answers) == {'{"detail":"Not Found"}'}
