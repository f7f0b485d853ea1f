"""The index of rollout files: what it finds in rows of any producer, and that it follows the content of the file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.core.errors import PalestraError
from palestra.core.transcript import is_from_model, split_turns
from palestra.data.index import build, extract, segment
from palestra.data.index.build import index_folder
from palestra.data.rows import Rows
from palestra.wire.calls import output_of
from palestra.wire.encoding import encode
from tests.data.made_rollouts import call, message, own_line, rollout, write


def opened(path: Path, **options: Any) -> Rows:
    return Rows.open([path], **options)


def one(path: Path, row: dict[str, Any] | bytes) -> dict[str, Any]:
    return opened(write(path, [row])).table.to_pylist()[0]


def test_a_row_of_nemo_gym(tmp_path: Path) -> None:
    output = [
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "think"}]},
        *call("search", '{"error": "no such page"}'),
        *call("search", "found", 1),
        message("It is é."),
    ]
    row = one(tmp_path / "a.jsonl", rollout(3, 0.5, output=output, accuracy=True, note="x" * 300))
    expected = {
        "kind": "rollout", "agent": "math_simple_agent", "task": "math_simple_agent#3", "task_index": 3, "reward": 0.5,
        "turns": 3, "items": 6, "prompt_chars": 10, "assistant_chars": 8, "answer_chars": 8, "reasoning_chars": 5,
        "argument_chars": 16, "tool_output_chars": 30, "tool_calls": 2, "tool_errors": 1, "tools": ["search", "search"],
        "end_reason": "completed", "truncated": False, "failure_class": None, "accuracy": 1, "line": 1, "offset": 0,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert "note" not in row, "long fields stay in the file"


def test_a_row_of_palestra_says_more_and_its_task_has_fields(tmp_path: Path) -> None:
    own = {"end_reason": "max_steps", "task": {"difficulty": "hard", "turns": 4}, "calls": [{}, {}], "seed": 9}
    usage = {"usage": {"input_tokens": 7, "output_tokens": 3}, "timing": {"total_s": 1.5}, "components": ["format"]}
    row = one(tmp_path / "a.jsonl", own_line(1, **own, **usage))
    assert row["task"] == f"{1:032x}"
    assert (row["end_reason"], row["truncated"], row["turns"], row["seed"]) == ("max_steps", True, 2, 9)
    assert (row["input_tokens"], row["output_tokens"], row["seconds"]) == (7, 3, 1.5)
    assert (row["difficulty"], row["row.turns"], row["components"]) == ("hard", 4, ["format"])


def test_a_failure_has_no_reward(tmp_path: Path) -> None:
    failed = {**rollout(0, 0.0), "_ng_failure_class": "model-timeout"}
    row = one(tmp_path / "a.jsonl", failed)
    assert (row["kind"], row["reward"], row["failure_class"]) == ("failure", None, "model-timeout")


@pytest.mark.parametrize(
    "row",
    [
        {"responses_create_params": "nothing", "response": 5, "reward": "high", "agent_ref": [], "_ng_task_index": "x"},
        {"responses_create_params": {"input": 5}, "response": {"output": [[message("a")], [message("bcd")]]}},
        {"responses_create_params": {"input": "hello"}, "response": {"output": ["text", {"type": 7, "content": [3]}]}},
        {"palestra": [], "reward": 1.0, "response": None},
        {"big": 10**40, "negative": -(2**64), "reward": 1},
        {"question": "a task row"},
    ],
)
def test_rows_that_are_laid_out_in_another_way_are_rows(tmp_path: Path, row: dict[str, Any]) -> None:
    found = opened(write(tmp_path / "a.jsonl", [row, rollout()]))
    assert len(found) == 2
    assert not found.bad_lines
    assert found.value(0) == row


def test_transitions_count_as_their_last(tmp_path: Path) -> None:
    row = one(tmp_path / "a.jsonl", rollout(output=[[message("a")], [message("a"), message("bcd")]]))
    assert (row["items"], row["assistant_chars"]) == (2, 4)


def test_half_a_surrogate_pair_is_no_reason_to_lose_a_row(tmp_path: Path) -> None:
    line = json.dumps(rollout(text="a\ud800b", label="\udc00")).encode()
    row = one(tmp_path / "a.jsonl", line)
    assert (row["assistant_chars"], row["label"]) == (3, "?")


def test_bad_lines_are_named_and_cost_nothing_else(tmp_path: Path) -> None:
    damaged = own_line(5).replace(b'"reward":1.0', b'"reward":0.0')
    path = write(tmp_path / "a.jsonl", [rollout(0), b"{broken", b"", b"[1]", damaged, rollout(1)])
    with path.open("ab") as file:
        file.write(b'{"torn": ')
    rows = opened(path)
    assert [row["line"] for row in rows.table.to_pylist()] == [1, 6]
    assert [problem.line for problem in rows.problems] == [2, 4, 5, 7]
    assert rows.bad_lines == 4
    texts = [str(problem) for problem in rows.problems]
    assert "not an object" in texts[1]
    assert "checksum" in texts[2]
    assert "the file ends within it" in texts[3]


def test_a_field_that_is_text_somewhere_is_text_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "BLOCK_BYTES", 600)
    rows = opened(write(tmp_path / "a.jsonl", [rollout(0, level=level) for level in (1, 2.5, "three", None)]))
    assert rows.column("level").to_pylist() == ["1", "2.5", "three", None]


def test_lines_without_a_last_line_end_and_with_carriage_returns(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [encode(rollout(number)) for number in range(2)]
    path.write_bytes(lines[0] + b"\r\n" + lines[1])
    rows = opened(path)
    assert [rows.line(0), rows.line(1)] == [lines[0] + b"\r", lines[1]]
    with path.open("ab") as file:
        file.write(b"\n" + encode(rollout(2)) + b"\n")
    assert opened(path).column("task_index").to_pylist() == [0, 1, 2]


@pytest.mark.parametrize("piece_bytes", [1, 100, 400, 5000])
def test_a_file_that_is_read_in_other_pieces_has_the_same_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_bytes: int
) -> None:
    rows = [rollout(number, text="long " * 200 * (number % 3), note=number / 3) for number in range(12)]
    path = write(tmp_path / "a.jsonl", [*rows, b"", b"nonsense"])
    path.write_bytes(path.read_bytes() + encode(rollout(12))[:-9])
    whole = opened(path, index=tmp_path / "one")
    monkeypatch.setattr(segment, "PIECE_BYTES", piece_bytes)
    parts = opened(path, index=tmp_path / "two")
    assert parts.table.combine_chunks().equals(whole.table.combine_chunks())
    assert [str(problem) for problem in parts.problems] == [str(problem) for problem in whole.problems]
    assert [problem.line for problem in parts.problems] == [14, 15]
    assert parts.parts[0].segments == whole.parts[0].segments


def test_an_integer_beyond_64_bits_is_none_that_a_column_holds(tmp_path: Path) -> None:
    rows = opened(write(tmp_path / "a.jsonl", [own_line(0, seed=1 << 70), own_line(1, seed=7)]))
    assert rows.column("seed").to_pylist() == [None, 7]


def test_values_and_prompts_that_are_met_again_are_not_mixed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract, "MOST_REMEMBERED", 2)
    own = [rollout(number % 3, kind_of=value) for number, value in enumerate((1, 1.0, "1", True, False, 0, None) * 2)]
    path = write(
        tmp_path / "a.jsonl", [{**row, "note": row["kind_of"]} if row["kind_of"] == "1" else row for row in own]
    )
    rows = opened(path)
    assert rows.column("kind_of").to_pylist() == ["1", "1.0", "1", "True", "False", "0", None] * 2
    assert rows.column("note").to_pylist()[:3] == [None, None, "1"]
    assert rows.column("prompt_chars").to_pylist() == [10] * 14


def segments_read(path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> int:
    """How many blocks are read when the file is opened."""
    read: list[int] = []
    real = build.write_segment

    def counted(path: Path, block: Any, folder: Path) -> Any:
        read.append(block.start)
        return real(path, block, folder)

    with monkeypatch.context() as patch:
        patch.setattr(build, "write_segment", counted)
        opened(path, **options)
    return len(read)


def test_an_index_is_built_once_extended_by_appends_and_follows_edits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "BLOCK_BYTES", 1000)
    path = write(tmp_path / "a.jsonl", [rollout(number) for number in range(20)])
    blocks = segments_read(path, monkeypatch)
    assert blocks > 4
    assert segments_read(path, monkeypatch) == 0
    with path.open("ab") as file:
        file.write(encode(rollout(20)) + b"\n")
    assert 1 <= segments_read(path, monkeypatch) <= 2
    assert opened(path).column("task_index").to_pylist() == list(range(21))
    text = path.read_bytes()
    path.write_bytes(text.replace(b'"_ng_task_index": 19', b'"_ng_task_index": 91'))
    assert 1 <= segments_read(path, monkeypatch) <= 3
    assert opened(path).column("task_index").to_pylist()[19] == 91
    assert segments_read(path, monkeypatch, verify=True) == 0


def test_an_edit_that_hides_its_time_is_found_all_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [rollout(1)])
    opened(path)
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b'"reward": 1.0', b'"reward": 0.5'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert opened(path).numbers("reward").tolist() == [0.5]


def test_a_damaged_index_is_built_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [rollout(1)])
    opened(path)
    folder = index_folder(path)
    (folder / "manifest.json").write_text("{")
    assert len(opened(path)) == 1
    for stored in folder.glob("*.arrow"):
        stored.unlink()
    assert len(opened(path)) == 1


def test_several_processes_give_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.jsonl", [rollout(number, number / 7) for number in range(40)])
    alone = opened(path, index=tmp_path / "one").table
    monkeypatch.setattr(build, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(build, "ALONE_BYTES", 0)
    monkeypatch.setattr(build, "usable_cores", lambda: 2)
    together = opened(path, index=tmp_path / "two").table
    assert together.combine_chunks().equals(alone.combine_chunks())


def test_a_worker_that_breaks_is_an_error_not_an_empty_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.jsonl", [rollout(number) for number in range(9)])
    monkeypatch.setattr(build, "BLOCK_BYTES", 500)
    monkeypatch.setattr(build, "ALONE_BYTES", 0)
    monkeypatch.setattr(build, "usable_cores", lambda: 2)
    monkeypatch.setattr(build.sys, "executable", "/bin/false")
    with pytest.raises(PalestraError, match="could not be built"):
        opened(path)


def test_several_files_and_an_empty_one(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", [rollout(1)])
    second = write(tmp_path / "b.jsonl", [rollout(2), rollout(3)])
    empty = write(tmp_path / "c.jsonl", [])
    rows = Rows.open([first, empty, second])
    assert rows.column("file").to_pylist() == [0, 2, 2]
    assert rows.where_is(2) == f"{second} line 2"
    assert len(Rows.open([empty])) == 0
    with pytest.raises(PalestraError, match="missing"):
        Rows.open([tmp_path / "missing.jsonl"])


def test_the_index_agrees_with_the_transcript_of_real_rollouts(tmp_path: Path, shared: Path) -> None:
    """Turns, tools and characters as the code that reads whole rollouts counts them."""
    checked = 0
    for source in sorted((shared / "data" / "nemo_gym").glob("*/recorded*.jsonl")):
        lines = [json.loads(line) for line in source.read_bytes().splitlines()]
        recorded = [line.get("recorded", line) for line in lines]
        rows = opened(write(tmp_path / f"{source.parent.name}-{source.name}", recorded)).table.to_pylist()
        assert len(rows) == len(recorded)
        for row, value in zip(rows, recorded, strict=True):
            output = output_of(value)
            assert row["turns"] == sum(1 for said, _ in split_turns(output) if said)
            assert row["tools"] == [item["name"] for item in output if item.get("type") == "function_call"]
            assert row["reward"] == value["reward"]
            said = [item for item in output if is_from_model(item) and item.get("type", "message") == "message"]
            texts = [part.get("text") or "" for item in said for part in item["content"]]
            assert row["assistant_chars"] == sum(map(len, texts))
            checked += 1
    assert checked > 50


@settings(max_examples=40)
@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
            max_leaves=8,
        ),
        max_size=6,
    )
)
def test_every_object_is_a_row_and_every_other_value_a_problem(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any]
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    rows = opened(path)
    objects = [value for value in values if isinstance(value, dict)]
    assert [rows.value(number) for number in range(len(rows))] == objects
    assert rows.bad_lines == len(values) - len(objects)
