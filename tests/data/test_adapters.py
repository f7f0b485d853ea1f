"""Rows of other files and shapes become task rows, or say why they cannot."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main
from palestra.core.errors import PalestraError
from palestra.data.adapters.convert import mapped, task_rows
from palestra.data.adapters.mapping import Mapping, read_mapping
from palestra.data.adapters.tables import read_rows
from palestra.data.validate.rows import Demands, row_problems
from palestra.rollout.plan import Row

ROWS = [{"question": "2 + 2?", "answer": "It is 4.\n#### 4"}, {"question": "3 + 3?", "answer": "#### 1,006"}]


def mapping(**values: Any) -> Mapping:
    return Mapping.model_validate(values)


NUMBER = mapping(
    prompt="Solve: {question}",
    agent="word_problems_simple_agent",
    fields={"expected_answer": {"column": "answer", "pattern": r"#### ([\d,]+)", "type": "integer"}},
)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "tsv", "parquet", "saved"])
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.{suffix}"
    if suffix in ("csv", "tsv"):
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["question", "answer"], delimiter="," if suffix == "csv" else "\t")
            writer.writeheader()
            writer.writerows(ROWS)
    elif suffix == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pytest.importorskip("pyarrow").Table.from_pylist(ROWS), path)
    elif suffix == "saved":
        pytest.importorskip("datasets").Dataset.from_list(ROWS).save_to_disk(str(path))
    else:
        path.write_text(json.dumps(ROWS) if suffix == "json" else "".join(json.dumps(row) + "\n" for row in ROWS))
    rows = list(task_rows(path, NUMBER))
    assert [row.problem for row in rows] == [None, None]
    assert rows[1].content == {
        "responses_create_params": {"input": [{"type": "message", "role": "user", "content": "Solve: 3 + 3?"}]},
        "expected_answer": 1006,
        "question": "3 + 3?",
        "answer": "#### 1,006",
        "agent_ref": {"type": "responses_api_agents", "name": "word_problems_simple_agent"},
    }


CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": None,
     "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    {"role": "assistant", "content": "It is sunny."},
]  # fmt: skip
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
SHAREGPT = [
    {"from": "system", "value": "Be brief."},
    {"from": "human", "value": "Weather?"},
    {"from": "function_call", "value": '{"name": "weather", "arguments": {}}'},
    {"from": "observation", "value": "sunny"},
    {"from": "gpt", "value": "It is sunny."},
]
XLAM = {
    "query": "Add 1 and 2.",
    "tools": json.dumps(
        [{"name": "add", "description": "Adds.", "parameters": {
            "a": {"type": "int", "description": "one"}, "b": {"type": "List[int], optional", "description": "two"},
            "c": {"type": "str", "description": "", "default": "x"}}}]
    ),
    "answers": '[{"name": "add", "arguments": {"a": 1, "b": [2]}}]',
}  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "row"),
    [
        ("chat", {"messages": CHAT, "tools": TOOLS}),
        ("sharegpt", {"conversations": SHAREGPT, "tools": json.dumps(TOOLS)}),
    ],
)
def test_conversations_keep_calls_and_tools_and_give_up_the_answer(shape: str, row: dict[str, Any]) -> None:
    task = mapped(row, mapping(shape=shape, answer="expected_answer"))
    items = task["responses_create_params"]["input"]
    assert [item.get("role") or item["type"] for item in items] == [
        "system", "user", "function_call", "function_call_output",
    ]  # fmt: skip
    assert items[2]["call_id"] == items[3]["call_id"]
    assert task["expected_answer"] == "It is sunny."
    assert task["responses_create_params"]["tools"][0]["name"] == "weather"
    assert not list(row_problems(task, "task", Demands()))
    assert mapped(row, mapping(shape=shape, answer="expected_answer")) == task


def test_alpaca() -> None:
    row = {"instruction": "Translate.", "input": "ciao", "output": "hello", "topic": "words"}
    assert mapped(row, mapping(shape="alpaca")) == {
        "responses_create_params": {"input": [{"type": "message", "role": "user", "content": "Translate.\n\nciao"}]},
        "reference_answer": "hello",
        "topic": "words",
    }


def test_xlam_declares_its_functions_in_json_schema() -> None:
    task = mapped(XLAM, mapping(shape="xlam"))
    (tool,) = task["responses_create_params"]["tools"]
    assert tool["parameters"]["properties"]["a"] == {"type": "integer", "description": "one"}
    assert tool["parameters"]["properties"]["b"]["type"] == "array"
    assert tool["parameters"]["required"] == ["a"]
    assert task["expected_answers"] == [{"name": "add", "arguments": {"a": 1, "b": [2]}}]
    assert not list(row_problems(task, "task", Demands()))


def test_dpo_with_and_without_a_prompt() -> None:
    user = {"role": "user", "content": "Hi"}
    good, bad = {"role": "assistant", "content": "Hello!"}, {"role": "assistant", "content": "No."}
    plain = mapped({"prompt": "Hi", "chosen": "Hello!", "rejected": "No."}, mapping(shape="dpo"))
    assert (plain["chosen"], plain["rejected"]) == ("Hello!", "No.")
    pairs = mapped({"chosen": [user, good], "rejected": [user, bad]}, mapping(shape="dpo"))
    assert (pairs["chosen"], pairs["rejected"]) == ([good], [bad])
    assert pairs["responses_create_params"]["input"][0]["content"] == "Hi"


@pytest.mark.parametrize(
    ("row", "values", "told"),
    [
        ({"answer": "x"}, {"prompt": "{quesion}"}, "no column 'quesion'"),
        ({"question": "q", "answer": "x"}, {"prompt": "{quesion}"}, "Did you mean 'question'"),
        ({"question": None}, {"prompt": "{question}"}, "is empty (null)"),
        ({"answer": "none"}, {"fields": {"a": {"column": "answer", "pattern": "#### (.*)"}}}, "does not match"),
        ({"answer": "four"}, {"fields": {"a": {"column": "answer", "type": "number"}}}, "'four' is no number"),
        ({"answer": "nan"}, {"fields": {"a": {"column": "answer", "type": "number"}}}, "'nan' is no number"),
        ({"messages": "x"}, {"shape": "chat"}, "messages must be a list"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, {"shape": "chat"}, "wizard"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, {"shape": "chat"}, "nothing is left"),
        ({"conversations": [{"from": "alien", "value": "x"}]}, {"shape": "sharegpt"}, "alien"),
    ],
)
def test_a_row_that_cannot_be_mapped_says_why_and_keeps_its_content(
    row: dict[str, Any], values: dict[str, Any], told: str
) -> None:
    from palestra.data.adapters.convert import mapped_rows

    (found,) = mapped_rows([Row(row, "f.jsonl line 1")], mapping(**values))
    assert found.content == row
    assert found.problem is not None
    assert told in found.problem
    assert found.problem.startswith("f.jsonl line 1 cannot be mapped")


def test_a_line_of_csv_with_too_few_cells_is_a_problem_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n3\n4,5\n")
    assert [row.problem for row in read_rows(path)] == [None, f"{path} line 3 has 1 cells, the header 2", None]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("promt = 'x'", "Did you mean 'prompt'"),
        ("shape = 'chta'", "shape"),
        ("prompt = ", "is not TOML"),
        ("[fields]\nagent_ref = 'x'", "agent_ref is made by the mapping"),
        ("[fields.a]\ncolumn = 'x'\npattern = '('", "pattern"),
    ],
)
def test_a_wrong_mapping_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "m.toml"
    path.write_text(text)
    with pytest.raises(PalestraError) as raised:
        read_mapping(path)
    assert told in str(raised.value)


def test_convert_writes_what_it_can_and_tells_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, toml, output = tmp_path / "x.jsonl", tmp_path / "m.toml", tmp_path / "tasks.jsonl"
    source.write_text('{"q": "a"}\nnot json\n{"p": "b"}\n{"q": "c"}\n')
    toml.write_text('prompt = "{q}"\n')
    words = ["data", "convert", str(source), "--mapping", str(toml), "--output", str(output)]
    assert main(words) == 1
    told = capsys.readouterr()
    assert "line 2 is not JSON" in told.err
    assert "line 3 cannot be mapped" in told.err
    assert "2 rows" in told.out
    assert "2 could not be mapped" in told.out
    assert len(output.read_text().splitlines()) == 2
    assert main(words) == 2
    toml.write_text('prompt = "{z}"\n')
    assert main([*words, "--overwrite"]) == 2
    assert len(output.read_text().splitlines()) == 2


def test_the_gsm8k_questions_become_valid_tasks(shared: Path, tmp_path: Path) -> None:
    toml = tmp_path / "m.toml"
    toml.write_text(
        'prompt = "{question}"\n[fields.expected_answer]\ncolumn = "answer"\npattern = "#### (.+)"\ntype = "number"\n'
    )
    output = tmp_path / "tasks.jsonl"
    source = shared / "data" / "real" / "gsm8k" / "test.jsonl"
    assert main(["data", "convert", str(source), "--mapping", str(toml), "--output", str(output)]) == 0
    assert len(output.read_text().splitlines()) == 1319
    assert main(["data", "validate", str(output), "--strict"]) == 0


def test_the_limit_of_csv_cells_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("question\n" + "x" * 200_000 + "\n")
    usual = csv.field_size_limit()
    assert [len(row.content["question"]) for row in read_rows(path)] == [200_000]
    assert csv.field_size_limit() == usual
