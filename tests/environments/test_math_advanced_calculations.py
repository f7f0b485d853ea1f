"""math_advanced_calculations: exact values of the tools, the original's rows, and generated expressions."""

import ast
import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from palestra.collection.config import ModelChoice
from palestra.core.discovery import find
from palestra.core.errors import Failure
from palestra.core.task import content_hash
from palestra.environments.math_advanced_calculations.expressions import Expression, solve
from palestra.environments.math_advanced_calculations.functions import CalculationError, calculate
from tests.collection.workspace import Workspace, lines_of
from tests.environments.judging import answered_in, judge_in

NAME = "math_advanced_calculations"
judge = partial(judge_in, NAME)
OPERATORS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power"}


def parsed(node: ast.expr) -> Expression | float:
    """An expression of a prompt, by the precedence of Python."""
    match node:
        case ast.Constant(value=float(value)):
            return value
        case ast.Name(id="pi"):
            return Expression("pi", ())
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return Expression("negate", (parsed(operand),))
        case ast.BinOp(left=left, op=operator, right=right):
            return Expression(OPERATORS[type(operator)], (parsed(left), parsed(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return Expression(name, tuple(map(parsed, arguments)))
    raise AssertionError(ast.dump(node))


def output(name: str, arguments: dict[str, Any], text: str | None = None, call_id: str = "a") -> list[dict[str, Any]]:
    made = {"type": "function_call", "name": name, "arguments": json.dumps(arguments), "call_id": call_id}
    answer = text or answered_in(NAME, {"question": "?", "ground_truth": "[1.0]"}, [made])[0]
    return [made, {"type": "function_call_output", "call_id": call_id, "output": answer}]


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("add", {"a": 6.0, "b": 10.0}, 17.2),
        ("subtract", {"a": 9.0, "b": 9.0}, -3.0),
        ("multiply", {"a": 1.0, "b": 9.0}, 9.9),
        ("multiply", {"a": 3.0, "b": 7.0}, (1.1 * 3.0) * 7.0),
        ("divide", {"a": 1.0, "b": 1.0}, 0.5),
        ("divide", {"a": 3.0, "b": 7.0}, (0.5 * 3.0) / 7.0),
        ("sin", {"radians": 5.0}, 0.28366218546322625),
        ("cos", {"radians": 0.0}, 0.0),
        ("power", {"a": 8.0, "b": 8.0}, 1073741824.0),
        ("log", {"a": 3.0, "base": 7.0}, math.log(3.0, 8.5)),
        ("pi", {}, 2.718281828459045),
        ("negate", {"a": 5.0}, 5.0),
        ("return_constant", {"a": 3.5}, 3.5),
        ("add", {"a": 2, "b": "3", "base": None}, 6.2),
    ],
)
def test_what_each_function_gives(name: str, arguments: dict[str, Any], value: float) -> None:
    assert calculate(name, arguments) == value


@pytest.mark.parametrize(
    ("name", "arguments", "detail"),
    [
        ("divide", {"a": 1.0, "b": 0.0}, "float division by zero"),
        ("log", {"a": -1.0, "base": 2.0}, "math domain error|expected a positive input"),
        ("modulo", {"a": 1.0, "b": 2.0}, "^Function not found$"),
        ("add", {"a": 1.0}, "missing 1 required positional argument: 'b'"),
        ("sin", {"a": 1.0}, "unexpected keyword argument 'a'"),
        ("add", {"a": "one", "b": 1.0}, "a must be a finite number, got 'one'"),
        ("add", {"a": True, "b": 1.0}, "a must be a finite number"),
        ("add", {"self": 1, "a": 1.0, "b": 1.0}, "self"),
        ("power", {"a": -2.0, "b": 0.5}, "no real power"),
        ("power", {"a": 10.0, "b": 400.0}, "out of range"),
        ("multiply", {"a": 1e308, "b": 1e308}, "the result is inf"),
        ("add", {"a": 10**400, "b": 1.0}, "a must be a finite number"),
        ("add", {"a": "9" * 1000, "b": 1.0}, "a must be a finite number"),
        ("__init__", {}, "^Function not found$"),
    ],
)
def test_what_cannot_be_calculated_is_told(name: str, arguments: dict[str, Any], detail: str) -> None:
    with pytest.raises(CalculationError, match=detail) as caught:
        calculate(name, arguments)
    assert json.loads(output(name, arguments)[1]["output"]) == {"detail": str(caught.value)}


def test_a_value_is_one_line_of_json() -> None:
    assert output("sin", {"radians": 4})[1]["output"] == '{"solution":-0.6536436208636119}'


def test_recorded_calls_get_the_recorded_answers(shared: Path) -> None:
    replayed = 0
    for line in (shared / "data" / "nemo_gym" / NAME / "recorded_rollouts.jsonl").read_text().splitlines():
        items = json.loads(line)["response"]["output"]
        answers = {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}
        for item in items:
            if item["type"] == "function_call":
                [ours] = answered_in(NAME, {"question": "?", "ground_truth": "[1.0]"}, [item])
                assert json.loads(ours) == json.loads(answers[item["call_id"]])
                replayed += 1
    assert replayed >= 3


def test_the_original_rows_are_solved_by_their_expressions(shared: Path) -> None:
    for line in (shared / "data" / "nemo_gym" / NAME / "example.jsonl").read_text().splitlines():
        row = json.loads(line)
        asked = row["responses_create_params"]["input"][0]["content"]
        written = asked.split(" for ", 1)[1].removesuffix(" using only the given tools.").replace(", and ", ", ")
        node = ast.parse(written, mode="eval").body
        items: list[dict[str, Any]] = []
        for number, part in enumerate(node.elts if isinstance(node, ast.Tuple) else [node]):
            found = parsed(part)
            expression = found if isinstance(found, Expression) else Expression("return_constant", (found,))
            for place, call in enumerate(solve(expression)):
                items += output(call.name, call.arguments, call_id=f"{number}-{place}")
        assert judge(row, items).reward == 1.0
        *others, last = json.loads(row["ground_truth"])
        changed = json.dumps([*others, math.nextafter(last, math.inf)])
        assert judge({**row, "ground_truth": changed}, items).reward == 0.0


def test_outputs_written_by_others_do_not_count() -> None:
    row = {"question": "?", "ground_truth": [0.5]}
    forged = output("divide", {"a": 2.0, "b": 4.0}, '{"solution": 0.5}')
    assert judge(row, forged).reward == 0.0
    assert judge(row, forged, compatible=True).reward == 1.0
    assert judge(row, output("divide", {"a": 1.0, "b": 1.0})).reward == 1.0
    unanswered = output("divide", {"a": 1.0, "b": 1.0})[:1]
    assert judge(row, unanswered).reward == 0.0
    for broken in ('{"solution": "x"}', "[1]", "no json", '{"solution": null}', '{"other": 0.5}', "[" * 10_000):
        assert judge(row, output("pi", {}, broken), compatible=True).reward == 0.0


@pytest.mark.parametrize(
    "truth", ["[]", "no json", "[NaN]", '["1"]', "[true]", "3.0", [], [float("inf")], None, "[[1]]"]
)
def test_a_row_without_values_is_refused(truth: Any) -> None:
    with pytest.raises(Failure) as caught:
        judge({"question": "?", "ground_truth": truth}, [])
    assert caught.value.code == "task-invalid"


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4, 5])
def test_generated_values_are_those_of_the_tools(difficulty: int) -> None:
    source = find(NAME)
    rows = list(source.load().generate(7, 60, source.options({"difficulty": difficulty})))
    assert len({row["question"] for row in rows}) > (40 if difficulty == 1 else 58)
    for row in rows:
        truth = json.loads(row["ground_truth"])
        assert len(truth) == row["breadth"]
        items: list[dict[str, Any]] = []
        for number, step in enumerate(row["steps"]):
            assert calculate(step["name"], step["arguments"]) == step["solution"]
            items += output(step["name"], step["arguments"], json.dumps({"solution": 0}), call_id=str(number))
        assert judge(row, items).reward == 1.0
        changed = json.dumps([truth[0] + 1e-6, *truth[1:]])
        assert judge({**row, "ground_truth": changed}, items).reward == 0.0


def test_the_text_of_an_expression_means_what_is_calculated() -> None:
    source = find(NAME)
    for row in source.load().generate(11, 100, source.options({"depth": 3, "breadth": 1})):
        written = row["question"].removeprefix("What is the value of ").partition("? ")[0]
        expression = parsed(ast.parse(written, mode="eval").body)
        assert isinstance(expression, Expression)
        assert expression.depth() == 3
        assert [solve(expression)[-1].solution] == json.loads(row["ground_truth"])


def test_scripted_gold_calls_collect_a_reward_of_one(tmp_path: Path) -> None:
    source = find(NAME)
    rows = list(source.load().generate(3, 4, source.options({"difficulty": 3})))
    place = Workspace(tmp_path)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    script = tmp_path / "script.jsonl"
    with script.open("w") as file:
        for row in rows:
            calls = [
                {"type": "function_call", "name": step["name"], "arguments": json.dumps(step["arguments"])}
                for step in row["steps"]
            ]
            replies: list[Any] = [[call] for call in calls]
            file.write(json.dumps({"task": content_hash(row), "replies": [*replies, "Done."]}) + "\n")
    report = place.collect(
        environments=(NAME,), input=tmp_path / "rows.jsonl", model=ModelChoice(spec=f"scripted:{script}")
    )
    assert (report.stored, report.failures) == (4, {})
    assert [line["reward"] for line in lines_of(place.paths.rollouts)] == [1.0] * 4
