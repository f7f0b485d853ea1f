"""Judging mathematical answers: own tables, properties, and the real rows beside the repository."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("math_verify", reason="needs the extra math")

from palestra.grading.math import MathJudgement, judge, judge_at_once, judge_compatibly
from palestra.hosts.grading_pool import GradingPool

HOSTILE_S = 2.0
CHECKED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

SAME = [
    ("7", "7"), ("1000", "1,000"), ("1,000,000", "1{,}000{,}000"), (r"7\,000", "7000"), (r"\frac{1}{2}", "0.5"),
    ("1/2", r"\dfrac12"), (r"\sqrt{8}", r"2\sqrt2"), ("x+1", "1+x"), ("(x+1)^2", "x^2+2x+1"), ("0.333333", r"\frac13"),
    (r"\sin 2x", r"2\sin x\cos x"), (r"\{1,2\}", r"\{2,1\}"), ("1,2", "2, 1"), ("(1,2,3)", r"\left(1,2,3\right)"),
    ("x=7", "7"), ("7", "x=7"), ("7", r"x=\frac{14}{2}=7"), ("4", "2+2=4"), ("x>0", r"(0,\infty)"), ("(1,2)", "1<x<2"),
    (r"x \le 3", r"(-\infty,3]"), (r"(-\infty,0)\cup(0,\infty)", r"\mathbb{R}\setminus\{0\}"), ("1,2", "(1,2)"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix}1\\2\end{bmatrix}"), ("7 cm", r"7\text{ cm}"), ("7", "7 km"),
    (r"7\text{ meters}", r"7\mathrm{m}"), ("18", r"\$18.00"), (r"50\%", "50"), (r"50\%", "0.5"), ("90°", r"90^\circ"),
    (r"\text{Evelyn}", "evelyn"), (r"\text{(B)}", "B"), ("10!", "3628800"), (r"\binom{10}{3}", "120"), ("-5", "−5"),
    ("2^{2^{3}}", "256"), (r"\pm 3", "3,-3"), ("x=1, y=2", "y=2, x=1"), ("x=1, y=2", "(1,2)"), ("2x+y=3", "4x+2y=6"),
    ("y=2x+3", "2x-y+3=0"), ("3>x", "x<3"), (r"2\frac{1}{2}", r"\frac{5}{2}"), (r"0.\overline{3}", r"\frac13"),
    (r"\ln 8", r"3\ln 2"), ("(1+i)^2", "2i"), ("f(x)=x^2", "x^2"), ("2/7", r"\frac{2}{7}\approx 0.2857"), ("7²", "49"),
    ("101_2", "101_{2}"), (r"\sqrt[3]{-8}", "-2"), ("ab", "ba"), ("7", "**7**."), (r"\(\frac{1}{2}\)", "1/2"),
    ("(x,y)=(2,3)", "(2,3)"), (r"12\text{ cm}^2", "12"), ("7", "７"),
    ("14", r"\text{14}"), ("5:00 PM", r"5:00 \text{ pm}"), ("1:2", "2:4"),
    ("2mg", "2mg"), (r"\infty", r"+\infty"),
    ("x<1 \\text{ or } x>3", r"(-\infty,1)\cup(3,\infty)"), ("no solution", r"\text{No solution.}"),
]  # fmt: skip
OTHER = [
    ("7", "8"), ("7", "3,7"), ("7", r"3 \text{ or } 7"), ("7", r"7 \text{ or 3}"), ("7", "7 (or 3)"), ("7", "3=7"),
    ("7", "7=3"), ("7", "x=3=5=7"), ("7", "x>0"), ("7", r"x\ge 7"), ("7", "[0,10]"), ("(0,1)", r"(-\infty,\infty)"),
    ("(0,1)", "[0,1]"), ("7 cm", "7 km"), (r"7\text{ cm}", r"7\text{ cm}^2"), ("0.000000001", "0.000000002"),
    ("3.14159", "3.1"), (r"\pi", "3.14"), (r"\text{Evelyn}", r"\text{Evel}"), ("yes", "sey"), ("(1,2)", "(2,1)"),
    (r"\{1,2\}", r"\{1,2,3\}"), ("x=7", "y=7"), ("x=1, y=2", "2,1"), ("2x", "2y"), ("x>0", "x<0"), ("x>0", r"x\ge 0"),
    ("e^{-1000}", "e^{-2000}"), ("0", "10^{-80}"), ("0", "e^{-300}"), (r"\sqrt{x^2}", "x"), ("101_2", "101_3"),
    ("3t", "3s"), ("7", r"7\approx 12"), ("7", r"\approx 7.4"), ("17", "17.001"), ("A", r"\text{A or B}"),
    ("7", r"7\pm 1"), ("7", r"7 \text{ not } 8"), ("7", r"\max(7,x)"), ("x", "y"), (r"\infty", r"-\infty"), ("7", ""),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"), ("10:30", "10:31"),
    ("5:00 PM", r"5:00 \text{ am}"), ("7", "7;8"),
    ("100000000000000000", "100000000000000001"), ("100000000000000000", "100000000000000000.4"), ("3", "3%7"),
]  # fmt: skip
COSTLY = [
    "9^{9^{9^{9}}}", "10^{10^{10}}", "2^{9^4}", "((2^{9999})^{9999})^{9999}", "((9!)!)!", "9!!!!", "1001!",
    r"\binom{10^9}{5}", r"\prod_{i=1}^{10} i", r"\int_0^1 x dx", r"\lim_{x\to 0} x", "1" * 701, "x+" * 500 + "1",
    "(" * 13 + "7" + ")" * 13, r"\det\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1\end{pmatrix}^{99}",
    "(lambda: 7)()", "__import__('os')", r"\def\x{7}\x", r"\input{/etc/passwd}", r"\exp(\exp(\exp(99)))", "-+-+-+7",
]  # fmt: skip


def boxed(answer: str) -> str:
    return f"So it is $\\boxed{{{answer}}}$."


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_the_same_in_another_form_is_right(gold: str, answer: str) -> None:
    assert judge(gold, boxed(answer)).judged == "right"


@pytest.mark.parametrize(("gold", "answer"), OTHER)
def test_another_answer_is_not_right(gold: str, answer: str) -> None:
    judgement = judge(gold, boxed(answer))
    assert not judgement.equal
    assert judgement.judged != "right"


@pytest.mark.parametrize("answer", COSTLY)
def test_what_costs_too_much_is_refused_as_an_answer_and_as_a_gold_answer(answer: str) -> None:
    judgement = judge("7", boxed(answer))
    assert (judgement.equal, judgement.judged) == (False, "refused")
    assert judgement.reason
    with pytest.raises(ValueError, match="cannot be judged by"):
        judge(answer, boxed("7"))


@pytest.mark.parametrize(
    ("reply", "judged"),
    [
        (r"\boxed{7} and \boxed{7}", "right"),
        (r"\boxed{7}, that is \boxed{\frac{14}{2}}", "right"),
        (r"\boxed{\boxed{7}}", "right"),
        (r"<think>\boxed{3}</think>\boxed{7}", "right"),
        (r"Either \boxed{3} or \boxed{7}", "hedged"),
        (r"\boxed{7} but maybe \boxed{3}", "hedged"),
        (r"<think>\boxed{7}</think>", "no_answer"),
        (r"<think>\boxed{7}", "no_answer"),
        (r"\boxed{7", "no_answer"),
        (r"\boxed{} 7", "no_answer"),
        ("Final answer: 7", "right"),
        ("The final answer is $7$. I hope it is correct.", "right"),
        ("**Answer:** 7", "right"),
        ("I think 7", "right"),
        ("7", "right"),
        ("Either 3 or 7.", "hedged"),
        ("It was 3 sheep and 7 goats.", "hedged"),
        ("Answer: 3\nAnswer: 7", "hedged"),
        ("I do not know.", "no_answer"),
        ("7 " + "because " * 100, "no_answer"),
        ("", "no_answer"),
    ],
)
def test_a_reply_has_one_answer_slot(reply: str, judged: str) -> None:
    assert judge("7", reply).judged == judged


@pytest.mark.parametrize(
    ("gold", "reply", "equal", "extracted"),
    [
        ("4", r"2 + 2 = \boxed{4}", True, "4"),
        (r"\boxed{12}", r"\boxed{12}", True, "12"),
        ("4.0", r"\boxed{\frac{8}{2}}", True, "4"),
        ("17.001", r"\boxed{17}", False, "17"),
        ("", "", False, None),
        ("3", "3", True, "3"),
        ("x + 1", "$1" + " + x$", True, "x + 1"),
        ("1.4", "Final answer: {7 / 5}", False, "5"),
    ],
)
@pytest.mark.parametrize("judging", [judge, judge_compatibly])
def test_both_ways_of_judging_agree_with_the_original(
    judging: Any, gold: str, reply: str, equal: bool, extracted: str | None
) -> None:
    judgement = judging(gold, reply)
    assert (judgement.equal, judgement.extracted) == (equal, extracted)


def test_compatible_judging_pays_for_what_the_original_pays_for() -> None:
    for reply in ("Either 3 or 7.", r"<think>\boxed{7}</think>", boxed("3=7")):
        assert judge_compatibly("7", reply).equal
        assert not judge("7", reply).equal
    assert judge_compatibly("7", boxed("9^{9^{9^{9}}}")).judged == "refused"


def test_an_empty_gold_answer_matches_nothing() -> None:
    for gold in ("", "  ", "$ $", r"\boxed{}"):
        assert judge(gold, boxed(gold)).judged == "no_gold"


@pytest.mark.parametrize("gold", [r"\frac{0}{0}", "x^^2", r"\frac{1}{"])
def test_a_gold_answer_that_cannot_be_read_is_a_bad_row_whatever_the_reply(gold: str) -> None:
    for reply in (boxed(gold), boxed("7"), ""):
        with pytest.raises(ValueError, match="cannot be judged by"):
            judge(gold, reply)


@CHECKED
@given(st.text(max_size=80))
def test_any_reply_is_judged_the_same_way_twice(text: str) -> None:
    for reply in (text, boxed(text)):
        judgement = judge("7", reply)
        assert judgement == judge("7", reply)
        json.dumps(judgement.extracted, ensure_ascii=False).encode()


@CHECKED
@given(st.text(alphabet="0123456789xy+-*/^=<>()[]{}\\,.|!%_ &$", max_size=40))
def test_no_string_of_mathematical_marks_breaks_it(text: str) -> None:
    assert isinstance(judge("x+1", boxed(text)), MathJudgement)
    assert isinstance(judge("(0,1)", boxed(text)), MathJudgement)


def expressions() -> st.SearchStrategy[str]:
    leaves = st.one_of(st.integers(0, 99).map(str), st.sampled_from(["x", "y", r"\pi"]))

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pairs = st.tuples(inner, inner)
        return st.one_of(
            pairs.map(lambda pair: f"({pair[0]} + {pair[1]})"),
            pairs.map(lambda pair: f"({pair[0]} - {pair[1]})"),
            pairs.map(lambda pair: f"{pair[0]} \\cdot ({pair[1]})"),
            pairs.map(lambda pair: f"\\frac{{{pair[0]}}}{{{pair[1]} + 100}}"),
            inner.map(lambda one: f"\\sqrt{{{one}}}"),
            inner.map(lambda one: f"({one})^2"),
        )

    return st.recursive(leaves, grown, max_leaves=5)


@settings(CHECKED, max_examples=60)
@given(expressions())
def test_an_answer_equals_itself_and_no_other(expression: str) -> None:
    assert judge(expression, boxed(expression)).judged == "right"
    assert judge(expression, boxed(f"0 + {expression}")).equal
    assert not judge(expression, boxed(f"({expression}) + 1")).equal


@CHECKED
@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30))
def test_whole_numbers_are_equal_only_to_themselves(first: int, second: int) -> None:
    assert judge(str(first), boxed(f"{second:,}")).equal == (first == second)
    assert judge(f"{first:,}", boxed(str(first))).equal


@CHECKED
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_order_is_free_in_sets_only(numbers: list[int], random: Any) -> None:
    shuffled = random.sample(numbers, len(numbers))
    first, second = (", ".join(map(str, order)) for order in (numbers, shuffled))
    assert judge(f"\\{{{first}\\}}", boxed(f"\\{{{second}\\}}")).equal
    assert judge(f"({first}, 0)", boxed(f"({second}, 0)")).equal == (numbers == shuffled)
    assert not judge(first, boxed(f"{first}, 51")).equal


def corpus(shared: Path) -> Iterator[dict[str, Any]]:
    for line in (shared / "data" / "corpus" / "math_bad.jsonl").read_text().splitlines():
        case = json.loads(line)
        if "gen" in case:
            start, left, left_times, middle, right, right_times, end = case["gen"]["rep"]
            case["response"] = start + left * left_times + middle + right * right_times + end
        yield case


def test_every_hostile_reply_gets_what_it_must_within_two_seconds(shared: Path) -> None:
    asyncio.run(judge_corpus(list(corpus(shared))))


async def judge_corpus(cases: list[dict[str, Any]]) -> None:
    pool = GradingPool(1)
    wrong: list[str] = []
    try:
        await pool.call(judge, "7", "7", deadline_s=10)
        for case in cases:
            started = time.perf_counter()
            try:
                equal = (await pool.call(judge, case["gold"], case["response"], deadline_s=HOSTILE_S)).equal
            except ValueError:
                equal = False
            quick = judge_at_once(case["gold"], case["response"])
            if quick is not None and quick.equal != equal:
                wrong.append(f"{case['id']}: {quick.equal} at once and {equal} in a worker")
            if case["must"] != "any" and equal != (case["must"] == "pass"):
                wrong.append(f"{case['id']}: {equal}")
            if time.perf_counter() - started > HOSTILE_S:
                wrong.append(f"{case['id']} took {time.perf_counter() - started:.1f} s")
    finally:
        await pool.close()
    assert len(cases) > 60
    assert not wrong


@CHECKED
@given(
    st.integers(-(10**17), 10**17),
    st.integers(-3, 3),
    st.sampled_from(["\\boxed{{{}}}", "Answer: {}", "{}", "It is {}."]),
)
def test_plain_numbers_are_judged_at_once_as_in_a_worker(gold: int, off: int, form: str) -> None:
    reply = form.format(gold + off)
    assert judge_at_once(str(gold), reply) in (judge(str(gold), reply), None)
    assert judge_at_once(str(gold), f"\\boxed{{{gold + off}}}") == judge(str(gold), f"\\boxed{{{gold + off}}}")


@pytest.mark.parametrize(
    ("gold", "reply"),
    [("7", r"\boxed{7.0}"), ("1/2", r"\boxed{1/2}"), ("7", r"\boxed{7} \boxed{8}"), ("7", "\\boxed{٧}"),
     ("07", r"\boxed{7}"),
     ("7", "7" * 30_000), ("7", r"\boxed{7\text{ cm}}"), ("7", "<think>\\boxed{7}</think>"), ("-0", r"\boxed{0}")],
)  # fmt: skip
def test_what_is_no_plain_number_is_left_to_the_library(gold: str, reply: str) -> None:
    assert judge_at_once(gold, reply) is None


def test_every_gsm8k_answer_is_right_and_its_neighbour_wrong(shared: Path) -> None:
    lines = (shared / "data" / "real" / "gsm8k" / "test.jsonl").read_text().splitlines()
    golds = [json.loads(line)["answer"].rpartition("####")[2].strip() for line in lines]
    assert len(golds) == 1319
    assert [gold for gold in golds if not judge(gold, f"\\boxed{{{gold}}}").equal] == []
    neighbours = [(gold, str(int(gold.replace(",", "")) + 1)) for gold in golds]
    assert [pair for pair in neighbours if judge(pair[0], f"\\boxed{{{pair[1]}}}").equal] == []


def test_judgements_agree_with_the_labels_of_real_model_solutions(shared: Path) -> None:
    """What stands behind the last `A:` is the boxed answer; a solution that was cut off is judged as it is."""
    judged, disagreed, classes = 0, list[str](), Counter[str]()
    for line in (shared / "data" / "real" / "gsm8k" / "example_model_solutions.jsonl").read_text().splitlines():
        row = json.loads(line)
        gold = row["ground_truth"].rpartition("A:")[2].strip()
        for family in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            solution = row[family]["solution"]
            _, label, answer = solution.rpartition("A:")
            judgement = judge(gold, f"\\boxed{{{answer}}}" if label else solution)
            judged += 1
            if judgement.equal != row[family]["is_correct"]:
                disagreed.append(f"{family}: {gold!r} {answer!r}")
            if not label:
                classes["no A: line"] += 1
            elif not answer.strip().lstrip("-").replace(",", "").replace(".", "").isdigit():
                classes[f"not a number: {answer.strip()}"] += 1
    assert judged == 4 * 1319
    assert disagreed == []
    # Labels of all of these are false, and so is the judgement.
    assert classes == {
        "no A: line": 11,
        "not a number: -1.8 billion": 1,
        "not a number: 10+John's age": 1,
        "not a number: 1/5": 1,
        "not a number: 7/14": 1,
    }
