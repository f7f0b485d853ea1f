"""code_gen: recorded verdicts, hostile programs, programs in C++, and whose fault a time limit is."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main
from palestra.core.discovery import find
from palestra.core.errors import Failure, PalestraError
from palestra.core.sandbox import Input, Limits, Run
from palestra.core.transcript import Transcript
from palestra.core.verdict import Verdict
from palestra.environments.code_gen.generation import write
from palestra.environments.code_gen.programs import fair_runs
from palestra.grading.program_output import shortened
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from tests.environments.judging import judge_in, say

NAME = "code_gen"
Judge = Callable[..., Coroutine[Any, Any, Verdict]]
SQUARE_FUNCTION = {"inputs": ["5", "7", "12"], "outputs": ["25", "49", "144"], "fn_name": "square"}
SQUARE_PROGRAM = {"inputs": ["5\n", "7\n", "12\n"], "outputs": ["25\n", "49\n", "144\n"]}


def row_of(unit_tests: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"problem": "Square the number.", "verifier_metadata": {"unit_tests": unit_tests, **more}}


def block(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


@asynccontextmanager
async def judging(**options: Any) -> AsyncGenerator[Judge]:
    """Many verdicts in one sandbox."""
    source, pool = find(NAME), GradingPool(1)
    host = LocalHost(source, source.options(options), pool)

    async def judge(row: dict[str, Any], text: str) -> Verdict:
        session = await host.open(row, seed=0)
        return await session.verify(Transcript(tuple(session.prompt), tuple(say(text))))

    try:
        yield judge
    finally:
        await host.close()
        await pool.close()


def judged(pairs: Sequence[tuple[dict[str, Any], str]], **options: Any) -> list[Verdict]:
    """The verdicts on code of these rows."""

    async def all_judged() -> list[Verdict]:
        async with judging(**options) as judge:
            return [await judge(row, block(code)) for row, code in pairs]

    return asyncio.run(all_judged())


def one(code: str, unit_tests: dict[str, Any], **options: Any) -> Verdict:
    return judged([(row_of(unit_tests), code)], **options)[0]


@pytest.mark.parametrize("compatible", [False, True])
def test_recorded_verdicts_come_out_again(shared: Path, compatible: bool) -> None:
    lines = (shared / "data" / "nemo_gym" / NAME / "recorded.jsonl").read_text().splitlines()
    assert lines
    for line in lines:
        entry = json.loads(line)
        recorded = entry["recorded"]
        verdict = judge_in(NAME, entry["row"], recorded["response"]["output"], compatible=compatible)
        assert verdict.reward == recorded["reward"]
        for field in ("result", "extracted_model_code", "extracted_model_output"):
            assert verdict.metrics[field] == recorded[field]
        if recorded["reward"] == 1.0:
            assert verdict.metrics["metadata"].keys() == recorded["metadata"].keys()
        else:
            assert verdict.metrics["metadata"] == recorded["metadata"]


def test_recorded_rewards_come_out_of_the_command(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shared / "data" / "nemo_gym" / NAME / "recorded.jsonl"
    assert main(["verify", str(path), "--env", "comp_coding", "--recorded", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n"] == told["agree"] > 0


def test_programs_that_steal_the_reward_are_graded_wrong(shared: Path) -> None:
    lines = (shared / "data" / "corpus" / "code_attacks.jsonl").read_text().splitlines()
    cases = [case for case in map(json.loads, lines) if case["kind"] == "grade"]
    assert len(cases) >= 18
    tests = {"fn": SQUARE_FUNCTION, "stdio": SQUARE_PROGRAM}
    pairs = [(row_of(tests[case["mode"]]), case["code"]) for case in cases]
    verdicts = judged(pairs, unit_test_timeout_secs=3)
    assert {case["id"]: verdict.reward for case, verdict in zip(cases, verdicts, strict=True)} == {
        case["id"]: 0.0 for case in cases
    }


@pytest.mark.parametrize(
    ("code", "unit_tests", "results", "message"),
    [
        ("print(int(input()) ** 2)", SQUARE_PROGRAM, [True, True, True], None),
        ("print(25)", SQUARE_PROGRAM, [True, -2], "Wrong answer at output_line_idx=0: 25 != 49"),
        ("print(25, 1, sep='\\n')", SQUARE_PROGRAM, [-2], "Wrong answer: mismatched output length"),
        ("print((1", SQUARE_PROGRAM, [-4], "Error during testing: '(' was never closed (<string>, line 1)"),
        ("x = 1\nif x\n    x", SQUARE_PROGRAM, [-4], "Error during testing: expected ':' (<string>, line 2)"),
        ("1 / 0", SQUARE_PROGRAM, [-4], "Runtime Error"),
        ("exec('(')", SQUARE_PROGRAM, [-4], "Runtime Error"),
        ("import os\nos._exit(0)", SQUARE_PROGRAM, [-4], "Runtime Error"),
        ("while True: pass", SQUARE_PROGRAM, [-3], "Time Limit Exceeded"),
        ("def square(n): return n * n", SQUARE_FUNCTION, [True, True, True], None),
        ("def square(n): return 25", SQUARE_FUNCTION, [True, False], "Wrong Answer"),
        ("def cube(n): return n", SQUARE_FUNCTION, [-4], "Error during testing: name 'square' is not defined"),
        ("def square(n): return open", SQUARE_FUNCTION, [False], "Wrong Answer"),
    ],
)
def test_result_codes_and_messages(
    code: str, unit_tests: dict[str, Any], results: list[Any], message: str | None
) -> None:
    verdict = one(code, unit_tests, unit_test_timeout_secs=1)
    assert [(type(result), result) for result in verdict.metrics["result"]] == [(type(r), r) for r in results]
    assert verdict.reward == float(results == [True] * 3)
    if message is not None:
        assert verdict.metrics["metadata"]["error_message"] == message


def test_metadata_say_what_was_given_and_what_came() -> None:
    cases = [
        ("1 / 0", SQUARE_PROGRAM),
        ("print('x' * 1000)", SQUARE_PROGRAM),
        ("def square(n): return [n]", SQUARE_FUNCTION),
    ]
    told = [one(code, tests).metrics["metadata"] for code, tests in cases]
    assert told[0]["error"] == "ZeroDivisionError('division by zero')"
    assert "division by zero" in told[0]["traceback"]
    assert (told[0]["inputs"], told[0]["expected"], told[0]["error_code"]) == ("5\n", "25\n", -4)
    assert list(told[1]) == ["output", "inputs", "expected", "error_code", "error_message"]
    assert told[1]["output"] == shortened("x" * 1000 + "\n")
    assert told[2] == {
        "output": "[5]", "inputs": "[5]", "expected": "25", "error_code": -2, "error_message": "Wrong Answer",
    }  # fmt: skip


def test_a_missing_function_is_told_in_the_original_words_if_asked_for() -> None:
    verdict = one("x = 1", SQUARE_FUNCTION, compatible=True)
    message = "Error during testing: cannot unpack non-iterable NoneType object"
    assert verdict.metrics["metadata"] == {"error_code": -4, "error_message": message}


def test_a_reply_without_code_gets_no_result() -> None:
    empty = dict.fromkeys(("extracted_model_code", "result", "metadata", "unit_tests_time_taken"))
    blank, words = (judge_in(NAME, row_of(SQUARE_PROGRAM, difficulty="easy"), say(text)) for text in (" \n", "25"))
    shared = {**empty, "difficulty": "easy", "reasoning_format_violation_rate": 0.0}
    assert (blank.reward, dict(blank.metrics)) == (0.0, {**shared, "extracted_model_output": None})
    assert (words.reward, dict(words.metrics)) == (0.0, {**shared, "extracted_model_output": "25"})


def test_more_than_one_tag_in_reasoning_summaries_breaks_the_format() -> None:
    right = block("print(int(input()) ** 2)")
    for tags, expected in (("<think>a</think>", 1.0), ("<think>a<think>", 0.25)):
        reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": tags}]}
        verdict = judge_in(NAME, row_of(SQUARE_PROGRAM), [reasoning, *say(right)], reasoning_format_penalty=0.25)
        assert (verdict.reward, verdict.metrics["reasoning_format_violation_rate"]) == (expected, expected != 1.0)


@pytest.mark.parametrize(
    ("unit_tests", "words"),
    [
        ({"inputs": [], "outputs": []}, "at least 1"),
        ({"inputs": ["1", "2"], "outputs": ["1"]}, "2 inputs and 1 outputs"),
        ({"inputs": ["1"], "outputs": [" \n"]}, "blank"),
        ({"inputs": ["[1"], "outputs": ["1"], "fn_name": "f"}, "test 0"),
        ({"inputs": ["1"], "outputs": ["{"], "fn_name": "f"}, "test 0"),
        ({"inputs": ["1"], "outputs": ["[" * 100_000], "fn_name": "f"}, "test 0"),
        ({"inputs": [1], "outputs": ["1"]}, "string"),
        ({"inputs": ["1"]}, "outputs"),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused(unit_tests: dict[str, Any], words: str) -> None:
    with pytest.raises(Failure) as caught:
        judge_in(NAME, row_of(unit_tests), say("25"))
    assert caught.value.code == "task-invalid"
    assert words in caught.value.message
    with pytest.raises(Failure):
        judge_in(NAME, {"problem": "Square the number."}, say("25"))


def test_partial_credit_ends_after_three_time_limits() -> None:
    tests = {"inputs": [f"{n}\n" for n in range(6)], "outputs": [f"{n}\n" for n in range(6)]}
    code = "n = int(input())\nwhile n % 2: pass\nprint(n)"
    verdict = one(code, tests, partial_credit=True, unit_test_timeout_secs=0.3)
    assert verdict.metrics["result"] == [True, -3, True, -3, True, -3]
    assert verdict.reward == 0.5
    assert one("while True: pass", tests, partial_credit=True, unit_test_timeout_secs=0.3).metrics["result"] == [-3] * 3


@pytest.mark.slow
@pytest.mark.parametrize("compatible", [False, True])
def test_reference_solutions_of_generated_tasks_pass(compatible: bool) -> None:
    made = [write(7, index, None) for index in range(60)]
    verdicts = judged([(found.row, found.solution) for found in made], compatible=compatible)
    assert [verdict.metrics["metadata"] for verdict in verdicts if verdict.reward != 1.0] == []


def test_no_constant_passes_a_generated_task() -> None:
    for index in range(60):
        outputs = write(3, index, None).row["verifier_metadata"]["unit_tests"]["outputs"]
        assert max(map(outputs.count, outputs)) <= 8


def test_the_prompt_holds_no_solution() -> None:
    for index in range(30):
        found = write(5, index, None)
        assert not [line for line in found.solution.splitlines() if len(line) > 25 and line in found.row["problem"]
                    and line not in (found.solution.split('"""')[1::2] or [""])[0]]  # fmt: skip


class Clock:
    """A program whose runs end at the clock, each with the CPU time that it is told."""

    def __init__(self, *cpu_s: float) -> None:
        self.cpu_s = list(cpu_s)
        self.walls: list[float] = []

    async def runs(self, inputs: Sequence[Input], limits: Limits) -> AsyncGenerator[Run]:
        for _ in inputs:
            self.walls.append(limits.wall_s)
            yield Run("wall_limit", cpu_s=self.cpu_s.pop(0))


@pytest.mark.parametrize(("cpu_s", "tries"), [([0.2], 1), ([4.0, 4.1], 2)])
def test_a_program_that_waits_is_out_of_time(cpu_s: list[float], tries: int) -> None:
    program = Clock(*cpu_s)

    async def first() -> Run:
        return await anext(fair_runs(program, [Input()], Limits(cpu_s=10, wall_s=50)))

    assert asyncio.run(first()).status == "wall_limit"
    assert program.walls == [50, 100][:tries]


def test_a_program_that_the_machine_kept_waiting_is_not_judged() -> None:
    async def first() -> None:
        async for _ in fair_runs(Clock(2.0, 4.0), [Input()], Limits(cpu_s=10, wall_s=50)):
            pass

    with pytest.raises(Failure) as caught:
        asyncio.run(first())
    assert (caught.value.boundary, caught.value.retryable) == ("sandbox", True)


CPP = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")


@CPP
@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "results", "words"),
    [
        ("#include <iostream>\nint main() { long n; std::cin >> n; std::cout << n * n; }", [True] * 3, None),
        ("#include <iostream>\nint main() { std::cout << 25; }", [True, -2], "Wrong answer"),
        ("int main() { return x; }", [-4], "was not declared"),
        ("int main() { return 3; }", [-4], "Runtime Error"),
        ("int main() { int *p = nullptr; return *p; }", [-4], "Runtime Error"),
        ("int main() { for (volatile int i = 0;; i = i + 1); }", [-3], "Time Limit"),
        ("#include </etc/shadow>\nint main() {}", [-4], "Error during testing"),
    ],
)
def test_programs_in_cpp(code: str, results: list[Any], words: str | None) -> None:
    verdict = judge_in(NAME, row_of(SQUARE_PROGRAM), say(block(code, "cpp")), language="cpp", unit_test_timeout_secs=1)
    assert verdict.metrics["result"] == results
    assert words is None or words in verdict.metrics["metadata"]["error_message"]


def test_cpp_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PalestraError) as caught:
        judge_in(NAME, row_of(SQUARE_PROGRAM), say("x"), language="cpp")
    assert caught.value.code == "missing-package"
    assert "g++" in str(caught.value)


@CPP
def test_functions_in_cpp_are_refused() -> None:
    with pytest.raises(Failure) as caught:
        judge_in(NAME, row_of(SQUARE_FUNCTION), say("x"), language="cpp")
    assert caught.value.code == "task-invalid"
