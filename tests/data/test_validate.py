"""`palestra data validate`: one fixture for each rule, each finding at its place, nothing left out."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from palestra.cli.main import main
from palestra.core.discovery import find
from palestra.core.task import Task
from palestra.data.validate.files import Tally, validate
from palestra.data.validate.rows import Demands, row_problems
from palestra.data.validate.rules import RULES, Finding
from palestra.wire.encoding import encode_with_checksum

TASK: dict[str, Any] = {"responses_create_params": {"input": [{"role": "user", "content": "2 + 2?"}]}, "answer": "4"}
MESSAGE = {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "4"}]}
RESPONSE = {"id": "r", "created_at": 1, "model": "m", "output": [MESSAGE]}
ROLLOUT: dict[str, Any] = {**TASK, "response": RESPONSE, "reward": 1.0}
TOOL = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}, "required": []}}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "4"}


def params(**changes: Any) -> dict[str, Any]:
    return {**TASK, "responses_create_params": {**TASK["responses_create_params"], **changes}}


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def record(**changes: Any) -> bytes:
    return encode_with_checksum({**ROLLOUT, "palestra": {"version": 1, **changes}})


CASES: list[tuple[bytes, str, int, str]] = [
    (b'{"a": 1\n', "json", 1, ""),
    (lines(TASK) + b"[1]\n", "json", 2, ""),
    (b'{"reward": NaN}\n', "json", 1, ""),
    (lines(TASK) + b'{"a": "\xff"}\n', "encoding", 2, ""),
    (b"\xef\xbb\xbf" + lines(TASK), "encoding", 1, ""),
    (lines({**TASK, "hint": ["a\0b"]}), "characters", 1, "hint.0"),
    (b'{"responses_create_params": {"input": "a"}, "b": "\\ud800"}\n', "characters", 1, "b"),
    (lines(TASK)[:-1] + b"\r\n", "line-end", 0, ""),
    (lines(TASK)[:-1], "line-end", 1, ""),
    (lines(TASK) + b"\n" + lines(params(input="b")), "blank-line", 2, ""),
    (record(key="0" * 32)[:-20] + b"x" + record(key="0" * 32)[-19:] + b"\n", "checksum", 1, "palestra.crc32"),
    (lines({**TASK, "long": "x" * 3000}), "size", 1, ""),
    (lines({"responses_create_params": {}}), "required-field", 1, "responses_create_params.input"),
    (lines({**TASK, "reward": 1.0}), "required-field", 1, "response"),
    (lines({**TASK, "expected_answer": 4}), "type", 1, "expected_answer"),
    (lines(params(temperature="hot")), "params", 1, "responses_create_params.temperature"),
    (lines(params(top_k=5)), "params", 1, "responses_create_params.top_k"),
    (lines(params(stream=True)), "params", 1, "responses_create_params.stream"),
    (lines(params(input=[{"role": "usr", "content": "a"}])), "params", 1, "responses_create_params.input.0.role"),
    (lines(params(input=" \n")), "prompt", 1, "responses_create_params.input"),
    (lines(params(input=[])), "prompt-absent", 1, "responses_create_params.input"),
    (lines(params(input=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])),
     "prompt-end", 1, "responses_create_params.input.1"),
    (lines({"question": "a"}), "no-params", 1, "responses_create_params"),
    (lines(params(tools=[{**TOOL, "name": "a b"}])), "tools", 1, "responses_create_params.tools.0.name"),
    (lines(params(tools=[TOOL, TOOL])), "tools", 1, "responses_create_params.tools.1.name"),
    (lines(params(tools=[{**TOOL, "parameters": {}}])), "tools", 1, "responses_create_params.tools.0.parameters"),
    (lines(params(tools=[{**TOOL, "strict": True}])), "tools-strict", 1, "responses_create_params.tools.0.strict"),
    (lines(params(input=[{"role": "user", "content": "a"}, OUTPUT])), "conversation", 1,
     "responses_create_params.input"),
    (lines({**TASK, "agent_ref": "mcqa"}), "agent-ref", 1, "agent_ref"),
    (lines({**TASK, "agent_ref": {"type": "responses_api_agents"}}), "agent-ref", 1, "agent_ref.name"),
    (lines({**TASK, "agent_ref": {"name": "math_simple_agent"}}), "agent-unknown", 1, "agent_ref.name"),
    (lines(TASK, params(input="b"), dict(reversed(TASK.items()))), "duplicate", 3, ""),
    (lines(ROLLOUT, ROLLOUT), "duplicate-rollout", 2, ""),
    (lines({**ROLLOUT, "response": {**RESPONSE, "output": 5}}), "response", 1, "response.output"),
    (lines({**ROLLOUT, "reward": "1.0"}), "reward", 1, "reward"),
    (lines({**ROLLOUT, "reward": None}), "reward", 1, "reward"),
    (lines({**ROLLOUT, "reward": True}), "reward", 1, "reward"),
    (b'{"reward": 1e999,' + lines(ROLLOUT)[1:].replace(b', "reward": 1.0', b""), "reward", 1, "reward"),
    (lines({**ROLLOUT, "reward": 7.0}), "reward-range", 1, "reward"),
    (lines({**ROLLOUT, "_ng_failure_class": "judge-error"}), "failure", 1, "_ng_failure_class"),
    (lines({**ROLLOUT, "palestra": {"key": "short"}}), "record", 1, "palestra.key"),
]  # fmt: skip


def found(path: Path, content: bytes, *, env: str | None = None, large: int = 1 << 20) -> list[Finding]:
    path.write_bytes(content)
    demands = Demands.of(find(env) if env else None)
    return list(validate([path], Tally(), demands, large_row_bytes=large))


@pytest.mark.parametrize(("content", "rule", "line", "field"), CASES, ids=[f"{case[1]}-{case[3]}" for case in CASES])
def test_each_rule_is_found_at_its_place(tmp_path: Path, content: bytes, rule: str, line: int, field: str) -> None:
    env = "mcqa" if rule in ("type", "agent-unknown", "reward-range") else None
    findings = found(tmp_path / "x.jsonl", content, env=env, large=3000 if rule == "size" else 1 << 20)
    assert (rule, line, field) in [(each.rule, each.line, each.field) for each in findings], findings
    assert env or {each.rule for each in findings} <= {rule, "record", "required-field"}, findings


def test_every_rule_has_a_case() -> None:
    assert {case[1] for case in CASES} | {"name"} == set(RULES)


def test_unusual_names_are_found(tmp_path: Path) -> None:
    assert [each.rule for each in found(tmp_path / "My Data.json", lines(TASK))] == ["name"]


@pytest.mark.parametrize("content", [lines(TASK), lines(ROLLOUT), b""])
def test_what_is_right_has_no_finding(tmp_path: Path, content: bytes) -> None:
    assert found(tmp_path / "x.jsonl", content) == []


@given(st.lists(st.sampled_from([case[0] for case in CASES if case[0].endswith(b"\n")] + [lines(TASK)]), max_size=8))
def test_no_line_hides_another(contents: list[bytes]) -> None:
    """Lines put together have at least the errors that they have alone; only the first may have a byte order mark."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        contents = [content.removeprefix(b"\xef\xbb\xbf") for content in contents]
        alone = [each.rule for content in contents for each in found(path, content) if each.line]
        together = [each.rule for each in found(path, b"".join(contents)) if each.line]
        for rule in {*alone} - {"duplicate", "duplicate-rollout"}:
            assert together.count(rule) == alone.count(rule)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from([*TASK, *ROLLOUT, "input", "tools", "role", "content", "palestra", "output"]),
                        inner, max_size=4), max_leaves=12))  # fmt: skip
@example({"responses_create_params": {"responses_create_params": None, "input": ""}, "response": True})
@example({"responses_create_params": {"input": ""}, "response": {"output": {"a": 1}}})
def test_no_row_breaks_the_validator(value: Any) -> None:
    row = value if isinstance(value, dict) else {"responses_create_params": value}
    for kind in ("task", "rollout", "failure", "materialized_input"):
        assert all(problem.rule in RULES for problem in row_problems(row, kind, Demands(find("mcqa"), Task)))


def test_duplicates_are_found_across_files(tmp_path: Path) -> None:
    files = [tmp_path / "train.jsonl", tmp_path / "validation.jsonl"]
    for file in files:
        file.write_bytes(lines(params(input=file.name), TASK))
    (finding,) = validate(files, Tally())
    assert (finding.file, finding.line, finding.message) == (str(files[1]), 2, f"is {files[0]} line 2 again")


def test_exit_codes_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(lines(TASK))
    assert main(["data", "validate", str(path)]) == 0
    assert capsys.readouterr().out.strip() == "1 tasks: valid"
    path.write_bytes(lines(params(input=[])))
    assert main(["data", "validate", str(path)]) == 0
    assert main(["data", "validate", str(path), "--strict"]) == 1
    path.write_bytes(lines(*[{**TASK, "n": n, "agent_ref": 1} for n in range(30)]))
    capsys.readouterr()
    assert main(["data", "validate", str(path)]) == 1
    told = capsys.readouterr().out
    assert "agent-ref: 30 found (20 not printed, --show 0)" in told
    assert main(["data", "validate", str(path), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert len(document["findings"]) == document["errors"] == 30
    assert document["findings"][0] == {
        "file": str(path), "line": 1, "field": "agent_ref", "value": "1", "rule": "agent-ref", "severity": "error",
        "message": document["findings"][0]["message"], "fix": RULES["agent-ref"].fix,
    }  # fmt: skip
    assert main(["data", "validate", str(tmp_path / "none.jsonl")]) == 2


def test_real_rows_of_nemo_gym_have_no_errors(shared: Path) -> None:
    files = sorted(shared.glob("data/nemo_gym/*/*.jsonl"))
    tally = Tally()
    assert [str(finding) for finding in validate(files, tally) if finding.severity == "error"] == []
    assert tally.rows["task"] > 200
