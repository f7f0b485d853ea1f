"""structured_outputs: recorded rewards, the corpus of bad formats, and generated tasks with right and wrong replies."""

import asyncio
import csv
import io
import json
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pytest
import xmltodict
import yaml

from palestra.cli.main import main
from palestra.core.discovery import find
from palestra.core.errors import Failure
from palestra.core.session import Session
from palestra.core.task import content_hash
from palestra.core.transcript import Transcript
from palestra.environments.structured_outputs.generation import LEVELS, draw, told
from palestra.environments.structured_outputs.judging import Demands, judge_arguments, judge_text
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from palestra.wire.encoding import decode, encode
from tests.environments.judging import judge_in, say

NAME = "structured_outputs"
PER_LEVEL = 60


def repeated(parts: list[Any]) -> str:
    start, first, times, middle, last, count, end = parts
    return start + first * times + middle + last * count + end


def corpus(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "data" / "corpus" / "structured_bad.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "tool_call" not in row]


def test_every_row_of_the_corpus_comes_out_as_it_must(shared: Path) -> None:
    rows = corpus(shared)
    assert len(rows) > 30
    for row in rows:
        task = {"document": "x", "schema_str": json.dumps(row["schema"]), "schema_type": "json"}
        reply = repeated(row["gen"]["rep"]) if "gen" in row else row["response"]
        began = time.monotonic()
        try:
            got: Any = judge_in(NAME, task, say(reply)).reward
        except Failure as failure:
            got = failure.code
        assert time.monotonic() - began < 15, row["id"]
        allowed = {
            "pass": [1.0], "fail": [0.0], "terminate": [0.0, 1.0, "verifier-timeout"], "policy": [0.0],
            "pass_and_roundtrip": [1.0], "row_error": ["task-invalid"],
        }[row["must"]]  # fmt: skip
        assert got in allowed, row["id"]
        if row["must"] == "pass_and_roundtrip":
            assert decode(encode({"reply": reply})) == {"reply": reply}


def test_the_event_loop_is_free_while_a_slow_reply_is_judged() -> None:
    row = {"document": "x", "schema_str": '{"type": "array"}', "schema_type": "yaml"}
    reply = "- a\n" * 190_000
    lags: list[float] = []

    async def watched() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            lags.append(time.monotonic() - before - 0.005)

    async def judged() -> None:
        source, pool = find(NAME), GradingPool(1)
        host = LocalHost(source, source.options({"deadline_s": 0.3}), pool)
        watching = asyncio.create_task(watched())
        try:
            session = await host.open(row, seed=0)
            with pytest.raises(Failure) as caught:
                await session.verify(Transcript(session.prompt, tuple(say(reply))))
            assert caught.value.code == "verifier-timeout"
            # The next one is judged as ever.
            assert (await session.verify(Transcript(session.prompt, tuple(say("- a"))))).reward == 1.0
        finally:
            watching.cancel()
            await host.close()
            await pool.close()

    asyncio.run(judged())
    assert len(lags) > 20
    assert sorted(lags)[len(lags) // 2] < 0.05


def test_the_recorded_rewards_come_out_again(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shared / "data" / "nemo_gym" / NAME / "recorded.jsonl"
    assert main(["verify", str(path), "--env", NAME, "--recorded", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n"] == told["agree"] > 0


def opened(row: dict[str, Any]) -> Session:
    async def once() -> Session:
        source, pool = find(NAME), GradingPool(1)
        host = LocalHost(source, source.options({}), pool)
        try:
            return await host.open(row, seed=0)
        finally:
            await host.close()
            await pool.close()

    return asyncio.run(once())


def test_rows_of_all_versions_are_taken_as_they_are(shared: Path) -> None:
    folder = shared / "data" / "nemo_gym" / NAME
    for name in ("example.jan2026", "structured_outputs_v3_example", "structured_outputs_v4_example", "example"):
        for line in (folder / f"{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            session = opened(row)
            assert session.prompt
            assert len(session.tools) == len(row["responses_create_params"].get("tools") or [])


def written(value: Any, form: str) -> str:
    """The value in a format, as a careful writer gives it."""
    if form == "yaml":
        return yaml.safe_dump(value, sort_keys=False)
    if form == "toml":
        return "".join(f"{line}\n" for line in toml_lines(value, ()))
    if form == "xml":
        return xmltodict.unparse({"reply": value})
    if form == "csv":
        file = io.StringIO()
        writer = csv.DictWriter(file, list(value[0]))
        writer.writeheader()
        writer.writerows({name: json.dumps(cell).strip('"') for name, cell in row.items()} for row in value)
        return file.getvalue()
    return json.dumps(value)


def toml_lines(table: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    inner = {name: entry for name, entry in table.items() if isinstance(entry, dict)}
    listed = {
        name: entry
        for name, entry in table.items()
        if isinstance(entry, list) and entry and all(isinstance(row, dict) for row in entry)
    }
    yield from (
        f"{name} = {json.dumps(entry)}" for name, entry in table.items() if name not in inner and name not in listed
    )
    for name, entry in inner.items():
        yield f"[{'.'.join((*path, name))}]"
        yield from toml_lines(entry, (*path, name))
    for name, rows in listed.items():
        for row in rows:
            yield f"[[{'.'.join((*path, name))}]]"
            yield from toml_lines(row, (*path, name))


def spoiled(value: Any, random: Random) -> Iterator[Any]:
    """Values that the schema must refuse: each with one change in one object of it."""
    for kind in ("missing", "extra", "type"):
        copy = deepcopy(value)
        inner = random.choice(list(objects(copy)))
        name = random.choice(list(inner))
        if kind == "missing":
            del inner[name]
        elif kind == "extra":
            inner["further"] = "x"
        else:
            # Never a value of any type that things have, whatever the format makes of it.
            inner[name] = {"y": "z", "w": "z"}
        yield copy


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for entry in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(entry)


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4])
def test_generated_tasks_pay_the_right_reply_and_no_spoiled_one(difficulty: int) -> None:
    source = find(NAME)
    rows = list(source.load().generate(5, PER_LEVEL, source.options({"difficulty": difficulty})))
    assert {row["schema_type"] for row in rows} == set(LEVELS[difficulty - 1].forms)
    for index, row in enumerate(rows):
        subject = draw(Random(f"5/{difficulty}/{index}"), LEVELS[difficulty - 1])
        demands = Demands(row["schema_str"], row["schema_type"], row.get("tool_payload_key"))
        value = subject.made.value

        def judged(value: Any, row: dict[str, Any] = row, demands: Demands = demands) -> str | None:
            if "tool_name" not in row:
                return judge_text(written(value, row["schema_type"]), demands).error_type
            key = row["tool_payload_key"]
            return judge_arguments(json.dumps(value if key is None else {key: value}), demands).error_type

        assert judged(value) is None, row
        random = Random(index)
        form = row["schema_type"]
        if form == "csv":
            spoilt = [written(value, form).replace(next(iter(value[0])), "further", 1), written(value[1:], form)]
            assert [judge_text(text, demands).error_type for text in spoilt] == ["validation_error"] * 2
        else:
            assert {judged(wrong) for wrong in spoiled(value, random)} == {"validation_error"}, row
        if form in ("json", "xml"):
            assert judge_text(written(value, form)[:-3], Demands(row["schema_str"], form)).error_type == "parse_error"
        for leaf in leaves(value):
            assert told(leaf) in row["document"]


def leaves(value: Any) -> Iterator[Any]:
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if entries is None:
        yield value
    for entry in entries or ():
        yield from leaves(entry)


def test_levels_become_harder() -> None:
    source = find(NAME)
    lengths: list[float] = []
    for difficulty in (1, 2, 3, 4):
        rows = list(source.load().generate(1, PER_LEVEL, source.options({"difficulty": difficulty})))
        lengths.append(sum(len(row["schema_str"]) for row in rows) / len(rows))
        assert any("tool_name" in row for row in rows) == (difficulty == 4)
    assert lengths == sorted(lengths)


def test_scripted_gold_replies_are_collected_with_full_reward(tmp_path: Path) -> None:
    source = find(NAME)
    folder = source.folder
    rows = [json.loads(line) for line in (folder / "tasks.jsonl").read_text().splitlines()]
    script = tmp_path / "script.jsonl"
    lines: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        level, index = number_of(number)
        value = draw(Random(f"11/{level}/{index}"), LEVELS[level - 1]).made.value
        reply: Any = written(value, row["schema_type"])
        if "tool_name" in row:
            key = row["tool_payload_key"]
            arguments = json.dumps(value if key is None else {key: value})
            reply = [{"type": "function_call", "name": row["tool_name"], "arguments": arguments}]
        lines.append({"task": content_hash(row), "replies": [reply]})
    script.write_text("".join(json.dumps(line) + "\n" for line in lines))
    output = tmp_path / "out.jsonl"
    assert main(["collect", NAME, "--model", f"scripted:{script}", "--output", str(output)]) == 0
    got = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(got) == len(rows)
    assert all(line["reward"] == 1.0 and line["error_type"] is None for line in got)


def number_of(row: int) -> tuple[int, int]:
    """Difficulty and index of a row of tasks.jsonl, which holds 6, 8, 8 and 10 of them."""
    for level, count in ((1, 6), (2, 8), (3, 8)):
        if row < count:
            return level, row
        row -= count
    return 4, row
