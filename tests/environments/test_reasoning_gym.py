"""Every task of reasoning-gym: its rows survive JSON, its answers score, and what must not pay does not."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from palestra.core.discovery import find
from palestra.core.errors import Failure, PalestraError
from palestra.grading import reasoning_tasks
from palestra.grading.answers import without_reasoning
from palestra.grading.reasoning_tasks import WRONGLY_PAID, is_expression, score, score_of_gold

pytest.importorskip("reasoning_gym", reason="needs palestra[reasoning]")

from palestra.environments.reasoning_gym import generation
from palestra.environments.reasoning_gym.env import extracted_answer
from tests.environments.judging import judge_in, say

ITEMS = 2
SLOW_AT_THE_LOWEST_LEVEL = {"sokoban": 13}
"""Levels that are generated faster than the lowest."""
KNOWN_SOLUTIONS = {
    "graph_color": lambda metadata: json.dumps(metadata["possible_answer"]),
    "rubiks_cube": lambda metadata: metadata["example_correct_answer"],
    "propositional_logic": lambda metadata: metadata["example_answer"],
}
"""Tasks without an answer in the row, but with a solution in the metadata."""


judge = partial(judge_in, "reasoning_gym")


def originals(name: str, seed: int) -> Iterator[tuple[Any, dict[str, Any], dict[str, Any]]]:
    """A dataset of the package, its entries, and the rows made of them."""
    level = SLOW_AT_THE_LOWEST_LEVEL.get(name, 0)
    config = generation.configuration(name, level, {"train": 1} if name == "acre" else {})
    config.seed = seed
    dataset = generation.factory().DATASETS[name][0](config)
    for index in range(len(dataset)):
        entry = dataset[index]
        if entry["answer"] is None or dataset.score_answer(entry["answer"], entry) == 1.0:
            yield dataset, entry, json.loads(json.dumps(generation.row_of(name, entry, config)))


def known_answer(entry: dict[str, Any]) -> str | None:
    solution = KNOWN_SOLUTIONS.get(entry["metadata"]["source_dataset"])
    return solution(entry["metadata"]) if solution else entry["answer"]


@pytest.mark.parametrize("name", generation.task_names())
def test_an_answer_scores_after_a_round_trip_as_it_did_before(name: str) -> None:
    items = list(islice(originals(name, seed=11), ITEMS))
    answers = [known_answer(entry) for _, entry, _ in items]
    for (dataset, entry, row), answer in zip(items, answers, strict=True):
        assert row == generation.plain(row)
        if answer is None:
            continue
        assert score(answer, row).value == 1.0
        # Wrong answers of the right form: another item's, and this one's cut short.
        for other in (*answers, answer[: len(answer) // 2]):
            judged = score(other or "", row)
            if judged.reason is None:
                assert judged.value == pytest.approx(dataset.score_answer(other, entry)), other


@pytest.mark.parametrize("name", ["boxnet", "rush_hour"])
def test_tasks_that_name_no_solution_can_be_solved(name: str) -> None:
    solved = {
        "boxnet": (
            {"initial_state": {"0.5_0.5": ["box_red"], "0.5_1.5": ["target_red"]}},
            '[{"Agent[0.5, 0.5]": "move(box_red, square[0.5, 1.5])"}, '
            '{"Agent[0.5, 1.5]": "move(box_red, target_red)"}]',
        ),
        "rush_hour": ({"board_config": "oooooooooooooAAooooooooooooooooooooo"}, "A+3"),
    }
    metadata, answer = solved[name]
    row = {"question": "Solve it.", "answer": None, "metadata": {"source_dataset": name, **metadata}}
    assert score(answer, row).value == 1.0
    assert score("[]", row).value < 0.1


def test_the_package_has_the_tasks_that_the_documents_count() -> None:
    assert len(generation.task_names()) >= 105
    assert set(WRONGLY_PAID) <= set(generation.task_names())


def rows(seed: int, n: int, **options: Any) -> list[dict[str, Any]]:
    source = find("reasoning_gym")
    return list(source.load().generate(seed, n, source.options(options)))


@pytest.mark.slow
def test_rows_depend_on_the_seed_alone_even_where_the_package_follows_a_set() -> None:
    first, again = [rows(5, 4, task="word_ladder,ransom_note") for _ in range(2)]
    assert first == again


@pytest.mark.slow
def test_tasks_take_turns_and_the_first_rows_do_not_change_with_n() -> None:
    many = rows(3, 6, task="chain_sum,acre,gcd")
    assert [row["metadata"]["source_dataset"] for row in many] == ["chain_sum", "acre", "gcd"] * 2
    assert rows(3, 4, task="chain_sum,acre,gcd") == many[:4]


@pytest.mark.slow
def test_neighbouring_seeds_share_no_row() -> None:
    first, second = [{row["question"] for row in rows(seed, 20, task="simple_equations")} for seed in (7, 8)]
    assert not first & second


@pytest.mark.slow
def test_a_reader_that_stops_early_leaves_no_process() -> None:
    source = find("reasoning_gym")
    generated = source.load().generate(1, 100_000, source.options({}))
    assert next(generated)["question"]
    generated.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"task": "chian_sum"}, "Did you mean 'chain_sum'"),
        ({"task": "composite"}, "no task 'composite'"),
        ({"task": " , "}, "names no task"),
        ({"task": "acre", "difficulty": 1}, "It has: 0."),
        ({"task": "caesar_cipher", "difficulty": 3}, "It has: 0, 1."),
        ({"difficulty": -1}, "greater than or equal to 0"),
        ({"task": "chain_sum", "config": {"min_term": 2}}, "Did you mean 'min_terms'"),
        ({"task": "chain_sum", "config": {"min_terms": 9, "max_terms": 2}}, "max_terms must be >= min_terms"),
    ],
)
def test_options_that_are_impossible_are_told_with_what_is_possible(options: dict[str, Any], hint: str) -> None:
    with pytest.raises(PalestraError) as caught:
        find("reasoning_gym").options(options)
    assert caught.value.code == "invalid-option"
    assert hint in str(caught.value)


def test_all_are_the_tasks_that_have_the_difficulty() -> None:
    assert set(generation.configurations("all", 0, {})) == set(generation.task_names()) - {
        name for name in generation.task_names() if 0 not in generation.levels_of(name)
    }
    assert "acre" not in generation.configurations("all", 3, {})


@pytest.mark.slow
def test_a_setting_that_the_scorer_reads_travels_with_the_row() -> None:
    config = {"min_num_decimal_places": 6, "max_num_decimal_places": 6, "precision": 12}
    row = rows(2, 1, task="decimal_arithmetic", config=config)[0]
    assert row["metadata"]["scorer_config"] == {"max_num_decimal_places": 6}
    assert score_of_gold(row).value == 1.0
    assert score(str(Decimal(row["answer"]) + Decimal("0.0001")), row).value == 0.0


@pytest.mark.slow
def test_recorded_rollouts_keep_their_reward(shared: Path) -> None:
    checked = 0
    for path in sorted((shared / "data" / "nemo_gym" / "reasoning_gym").glob("recorded*.jsonl")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            recorded = entry["recorded"]
            verdict = judge(entry["row"], recorded["response"]["output"])
            assert verdict.reward == pytest.approx(recorded["reward"])
            assert verdict.metrics["score"] == pytest.approx(recorded["score"])
            assert verdict.metrics["task_name"] == recorded["task_name"]
            assert verdict.metrics["extracted_answer"] == recorded["extracted_answer"].strip()
            checked += 1
    assert checked


@pytest.mark.parametrize(
    ("metadata", "message"),
    [({}, "source_dataset is missing"), ({"source_dataset": "chian_sum"}, "Did you mean 'chain_sum'")],
)
def test_a_row_that_cannot_be_scored_is_a_failure(metadata: dict[str, Any], message: str) -> None:
    with pytest.raises(Failure) as caught:
        judge({"question": "1 + 1 =", "answer": "2", "metadata": metadata}, say("<answer>2</answer>"))
    assert caught.value.boundary == "verifier"
    assert message in str(caught.value)


@pytest.mark.slow
def test_a_row_whose_own_answer_breaks_the_scorer_is_a_failure_and_a_malformed_answer_is_not() -> None:
    row = {"question": "Sort.", "answer": "b, a", "metadata": {"source_dataset": "word_sorting"}}
    with pytest.raises(Failure, match="sorted_words"):
        judge(row, say("<answer>a, b</answer>"))
    row = {"question": "Factors of 6?", "answer": "2 × 3", "metadata": {"source_dataset": "prime_factorization"}}
    verdict = judge(row, say("<answer>two times three</answer>"))
    assert verdict.reward == 0.0
    assert "cannot read the answer" in str(verdict.reason)


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_worth_nothing_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palestra.environments.reasoning_gym.env.SCORING_DEADLINE_S", 2.0)
    row = next(iter(rows(1, 1, task="simple_integration")))
    verdict = judge(row, say("<answer>9**9**9**9</answer>"))
    assert verdict.reward == 0.0
    assert "too long" in str(verdict.reason)


@pytest.mark.parametrize("text", ["x**2", "3*X*sin(X) + C", "-1/2*a**2", "2.5*(x - .5)", "0x1f << 2", "(3 + 4)*5"])
def test_arithmetic_may_be_evaluated(text: str) -> None:
    assert is_expression(text)


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "open", "x.real", "lambda: 0", "[1]", "'a'", "Integral(x, x)", "exec(x)", "a;b", "x=1", "x_1"],
)
def test_python_may_not_be_evaluated(text: str) -> None:
    assert not is_expression(text)


@pytest.mark.parametrize("name", reasoning_tasks.EVALUATES_ANSWERS)
def test_scorers_that_evaluate_answers_run_no_code(name: str, tmp_path: Path) -> None:
    reasoning_tasks.preload()
    row = next(row for _, _, row in originals(name, seed=1))
    trace = tmp_path / "trace"
    assert score(f"__import__('pathlib').Path({str(trace)!r}).touch()", row).value == 0.0
    assert not trace.exists()


def test_a_row_that_would_run_code_is_refused() -> None:
    metadata = {"source_dataset": "bitwise_arithmetic", "problem": "exit()"}
    with pytest.raises(ValueError, match="must be arithmetic"):
        score("0x1", {"question": "?", "answer": "0x1", "metadata": metadata})


@pytest.mark.parametrize("unit", ["x", "1", "1+", "sin ", "0x", "la ", "(", "."])
def test_vetting_an_expression_is_linear(unit: str) -> None:
    began = time.process_time()
    is_expression(unit * 50_000 + "!")
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("reply", "extracted"),
    [
        ("<answer> 4\n</answer>", "4"),
        ("<answer>1</answer><answer>4</answer>", "4"),
        ("<answer>4</answer> and </answer>", "4"),
        ("so \\boxed{4} or \\boxed{5}", "4"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{1} <answer>4</answer>", "4"),
        ("<Answer>4</Answer>", "<Answer>4</Answer>"),
        (" 4 ", "4"),
        ("<think><answer>1</answer></think>4", "4"),
    ],
)
def test_the_answer_is_found_in_tags_then_in_a_box_then_everywhere(reply: str, extracted: str) -> None:
    assert extracted_answer(without_reasoning(reply)) == extracted
