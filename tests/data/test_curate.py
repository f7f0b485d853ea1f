"""Curation: what each stage keeps, that counts are exact, and that sources are never touched."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.cli.main import main
from palestra.core.errors import PalestraError
from palestra.data.curate.annotations import cohen_kappa, fleiss_kappa
from palestra.data.curate.groups import shares
from palestra.data.curate.outliers import robust_z
from palestra.data.curate.pipeline import Curated, Pipeline, curate
from palestra.data.curate.stage import KINDS, stage_of
from palestra.data.rows import Rows
from tests.data.made_rollouts import call, message, rollout, write

RATES = {0: (0, 0, 0, 0), 1: (1, 0, 0, 0), 2: (1, 1, 0, 0), 3: (1, 1, 1, 1), 4: (1, 1, 1, 0)}
"""Rewards of the rollouts of five tasks."""


def opened(path: Path, made: list[dict[str, Any]]) -> Rows:
    return Rows.open([write(path, made)])


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    made = [
        rollout(task, float(reward), f"Answer {task} {number} is a whole sentence.", kind_of=f"k{task % 2}")
        for number in range(4)
        for task, rewards in RATES.items()
        for reward in rewards[number : number + 1]
    ]
    return opened(tmp_path / "rollouts.jsonl", made)


def run(rows: Rows, kind: str, seed: int = 0, **fields: Any) -> Curated:
    return curate(rows, [stage_of(kind, fields)], seed=seed)


def tasks(found: Curated) -> list[int]:
    return found.rows.column("task_index").take(found.kept).to_pylist()


def test_filter_rules_and_who_dropped_what(rows: Rows) -> None:
    found = run(rows, "filter", reward={"min": 1}, one_of={"kind_of": ["k0"]}, where=["task_index != 2"])
    assert tasks(found) == [4, 4, 4]
    dropped = found.stages[0].dropped
    assert [(rule.rows, rule.alone) for rule in dropped] == [(10, 10), (5, 8), (2, 4)]
    assert sum(rule.rows for rule in dropped) == len(rows) - len(found.kept)
    assert dropped[0].examples[0]["where"].endswith("rollouts.jsonl line 1")
    assert dropped[0].examples[0]["reward"] == 0


def test_filters_by_tools(tmp_path: Path) -> None:
    outputs = [
        [*call("search", "ok"), *call("book", "ok"), message("a")],
        [*call("book", "ok"), *call("search", "ok"), message("b")],
        [*call("search", '{"error": "down"}'), message("c")],
        [message("d")],
    ]
    rows = opened(tmp_path / "a.jsonl", [rollout(number, output=output) for number, output in enumerate(outputs)])
    for use, expected in (
        ({"calls": {"min": 1}}, [0, 1, 2]),
        ({"errors": {"max": 0}, "any_of": ["search", "look"]}, [0, 1]),
        ({"all_of": ["search", "book"]}, [0, 1]),
        ({"none_of": ["book"]}, [2, 3]),
        ({"order": ["search", "book"]}, [0]),
    ):
        assert tasks(run(rows, "filter", tools=use)) == expected, use


def test_success_rate_and_bands(rows: Rows, tmp_path: Path) -> None:
    assert set(tasks(run(rows, "filter", success_rate={"min": 0.2, "max": 0.8, "min_rollouts": 4}))) == {1, 2, 4}
    found = run(rows, "bands")
    assert set(tasks(found)) == {1, 2, 4}
    bands = found.stages[0].facts["bands"]
    assert {name: entry["tasks"] for name, entry in bands.items()} == {
        "unsolved": 1, "hard": 1, "medium": 2, "easy": 0, "solved": 1, "no band": 0,
    }  # fmt: skip
    assert len(run(rows, "bands", min_rollouts=5).kept) == 0


def test_bands_and_curricula_from_a_profile(rows: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = tmp_path / "profile.jsonl"
    assert main(["stats", str(rows.paths[0]), "--profile", str(profile)]) == 0
    capsys.readouterr()
    assert set(tasks(run(rows, "bands", profile=profile))) == {1, 2, 4}
    ordered = tasks(run(rows, "curriculum", profile=profile))
    assert list(dict.fromkeys(ordered)) == [3, 4, 2, 1, 0]
    assert ordered == tasks(run(rows, "curriculum"))
    assert list(dict.fromkeys(tasks(run(rows, "curriculum", hard_first=True)))) == [0, 1, 2, 4, 3]
    profile.write_text("{}\n")
    with pytest.raises(PalestraError, match="line 1 has no"):
        run(rows, "bands", profile=profile)


def test_a_curriculum_in_rounds_is_a_file_each(rows: Rows, tmp_path: Path) -> None:
    found = run(rows, "curriculum", rounds=4, review=0.2)
    facts = found.stages[0].facts["rounds"]
    assert [entry["rows"] for entry in facts] == [5, 6, 6, 6]
    found.write(tmp_path / "out.jsonl")
    parts = [(tmp_path / f"out_round{number}.jsonl").read_bytes() for number in range(1, 5)]
    assert b"".join(parts) == (tmp_path / "out.jsonl").read_bytes()
    assert Counter(b"".join(parts).splitlines()).keys() == set(rows.lines(range(len(rows))))


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"cap": 5}, {"k0": 5, "k1": 5}),
        ({"quota": {"k0": 3, "k1": 7}}, {"k0": 3, "k1": 7}),
        ({"quota": {"k1": 2}}, {"k1": 2}),
        ({"weight": {"k0": 1, "k1": 3}, "total": 8}, {"k0": 2, "k1": 6}),
        ({"weight": {"k0": 3, "k1": 1}}, {"k0": 12, "k1": 4}),
    ],
)
def test_balance_has_exact_counts(rows: Rows, fields: dict[str, Any], counts: dict[str, int]) -> None:
    found = run(rows, "balance", by="kind_of", **fields)
    assert Counter(rows.column("kind_of").take(found.kept).to_pylist()) == counts
    assert found.kept.tolist() == sorted(found.kept.tolist())
    assert run(rows, "balance", by="kind_of", **fields).kept.tolist() == found.kept.tolist()


def test_balance_that_cannot_be_kept_is_refused(rows: Rows) -> None:
    with pytest.raises(PalestraError, match="has 8 rows, 9 are asked for"):
        run(rows, "balance", by="kind_of", quota={"k1": 9})
    with pytest.raises(PalestraError, match="Did you mean 'k1'"):
        run(rows, "balance", by="kind_of", quota={"k11": 1})
    with pytest.raises(PalestraError, match="one of cap, quota and weight"):
        stage_of("balance", {"by": "kind_of"})


def test_best_and_unique(tmp_path: Path) -> None:
    made = [
        rollout(0, 0.2, "a"),
        rollout(0, 0.9, "b"),
        rollout(0, 0.9, "b"),
        rollout(1, 0.1, "a"),
        rollout(1, None, "c"),
    ]
    rows = opened(tmp_path / "a.jsonl", made)
    assert run(rows, "best").kept.tolist() == [1, 3]
    assert run(rows, "best", smallest=True, count=2).kept.tolist() == [0, 1, 3, 4]
    assert run(rows, "unique").kept.tolist() == [0, 1, 3, 4]


def test_detectors(tmp_path: Path) -> None:
    texts = [
        "Two and two make four, as everybody can count with their fingers.",
        "I'm sorry, but I can't help with that request.",
        "and then it goes on and on " * 60,
        "The answer is here: \\boxed{4",
        "<think>Well. The answer is 4.",
        "```python\nprint(1)\n",
        "",
        "This answer was going to explain why the sum of both is surely",
        "<|im_start|>assistant Four.",
    ]
    made = [rollout(number, 1.0, text) for number, text in enumerate(texts)]
    cut = {"output": [message("Four.")], "incomplete_details": {"reason": "max_output_tokens"}}
    made.append(rollout(9, response=cut))
    rows = opened(tmp_path / "a.jsonl", made)
    assert rows.column("format_break").to_pylist() == [
        None, None, None, "boxed", "tag", "fence", "empty", None, "template", None,
    ]  # fmt: skip
    assert np.flatnonzero(rows.where("refused")).tolist() == [1]
    assert np.flatnonzero(rows.where("cut_off")).tolist() == [2, 7, 9]
    assert np.flatnonzero(rows.where("repetition > 0.5 and compression > 10")).tolist() == [2]
    assert rows.column("language").to_pylist()[:2] == ["en", "en"]
    assert rows.column("language").to_pylist()[6] is None
    assert tasks(run(rows, "detect")) == [0]


def test_outliers_have_reasons(tmp_path: Path) -> None:
    made = [rollout(number, 1.0, "x" * (100 + number % 7)) for number in range(40)] + [rollout(40, 1.0, "x" * 5000)]
    rows = opened(tmp_path / "a.jsonl", made)
    found = run(rows, "outliers", columns=["assistant_chars"])
    assert tasks(found) == list(range(40))
    assert "assistant_chars is 5000" in found.stages[0].facts["outliers"][0]["reasons"][0]
    assert tasks(run(rows, "outliers", columns=["assistant_chars"], keep="outliers", method="iqr")) == [40]
    assert robust_z(np.array([1.0, 2.0, 3.0, 4.0, 100.0])).round(4).tolist() == [-1.349, -0.6745, 0.0, 0.6745, 65.4265]


def test_diversity_costs_quality(tmp_path: Path) -> None:
    made = [rollout(0, 0.9 + number / 1000, f"the cat sat on the mat {number}") for number in range(20)]
    made += [rollout(1, 0.5, f"{word} {word}ish {word}ly") for word in ("dog", "ship", "stone", "tree")]
    rows = opened(tmp_path / "a.jsonl", made)
    assert set(tasks(run(rows, "diverse", count=5, weight=1.0))) == {0}
    found = run(rows, "diverse", count=5, weight=0.3)
    assert Counter(tasks(found))[1] == 4
    curve = found.stages[0].facts["curve"]
    assert [point["mean_quality"] for point in curve] == sorted(point["mean_quality"] for point in curve)
    assert curve[0]["mean_distance"] > curve[-1]["mean_distance"]


def test_samples_for_review(rows: Rows) -> None:
    assert len(run(rows, "sample", count=7).kept) == 7
    assert run(rows, "sample", count=7).kept.tolist() != run(rows, "sample", count=7, seed=1).kept.tolist()
    assert Counter(tasks(run(rows, "sample", count=5, by="stratified"))) == dict.fromkeys(range(5), 1)
    assert set(tasks(run(rows, "sample", count=4, by="uncertain"))) == {2}


def test_samples_where_verifiers_disagree(tmp_path: Path) -> None:
    made = [rollout(number, 1.0, rule=float(number % 2), judge=float(number in (1, 2))) for number in range(4)]
    rows = opened(tmp_path / "a.jsonl", made)
    assert tasks(run(rows, "sample", count=2, by="disagreement", columns=["rule", "judge"])) == [2, 3]


def test_reviews_are_written_filled_in_and_applied(
    rows: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, review = rows.paths[0], tmp_path / "review.jsonl"
    assert main(["curate", "--where", "task_index == 1", "--input", str(source), "--review", str(review)]) == 0
    asked = [json.loads(line) for line in review.read_bytes().splitlines()]
    assert [entry["reward"] for entry in asked] == [1, 0, 0, 0]
    verdicts = {"ann": ["reject", "reject", "accept", None], "ben": ["reject", "accept", "accept", "reject"]}
    paths = [str(tmp_path / f"{name}.jsonl") for name in verdicts]
    for path, (name, labels) in zip(paths, verdicts.items(), strict=True):
        given = [{**entry, "reviewer": name, "label": label} for entry, label in zip(asked, labels, strict=True)]
        Path(path).write_text("".join(json.dumps(entry) + "\n" for entry in given))
    found = run(rows, "decisions", annotations=paths)
    assert len(rows) - len(found.kept) == 2
    facts = found.stages[0].facts
    assert (facts["annotated_rows"], facts["labelled_twice"], len(facts["disputed"])) == (4, 3, 1)
    pairs = [("reject", "reject"), ("reject", "accept"), ("accept", "accept")]
    assert facts["kappa"] == pytest.approx(cohen_kappa(pairs))
    assert len(run(rows, "decisions", annotations=paths, require=["accept"]).kept) == 1
    assert len(run(rows, "decisions", annotations=paths, require=["accept"], adjudicator="ben").kept) == 2
    capsys.readouterr()


def test_kappa_of_the_textbooks() -> None:
    # Cohen's example of 50 grants read by two: 20 and 15 alike, 5 and 10 apart, kappa 0.4.
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(pairs) == pytest.approx(0.4)
    # The table of ten subjects and fourteen raters in Fleiss' worked example, kappa 0.210.
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1], [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert fleiss_kappa([dict(zip("abcde", row, strict=True)) for row in table]) == pytest.approx(0.20993, abs=1e-5)
    assert cohen_kappa([]) is None
    assert cohen_kappa([("a", "a")]) is None


def test_a_pipeline_file_is_run_cached_and_reported(
    rows: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline, output, report = tmp_path / "sft.toml", tmp_path / "sft.jsonl", tmp_path / "report.json"
    pipeline.write_text(
        'seed = 7\n[[stage]]\nkind = "filter"\nname = "right"\nreward = {min = 1}\n'
        '[[stage]]\nkind = "best"\ncount = 1\n'
    )
    command = ["curate", str(pipeline), "--input", str(rows.paths[0]), "--output", str(output), "--json"]
    before = rows.paths[0].read_bytes()
    assert main([*command, "--report", str(report)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(stage["stage"], stage["rows_after"], stage["cached"]) for stage in told["stages"]] == [
        ("right", 10, False),
        ("best", 4, False),
    ]
    assert json.loads(report.read_bytes()) == told
    written = output.read_bytes()
    assert written.splitlines() == [line for line in before.splitlines() if line in set(written.splitlines())]
    assert rows.paths[0].read_bytes() == before
    assert main(command) == 2
    assert "exists" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert [stage["cached"] for stage in json.loads(capsys.readouterr().out)["stages"]] == [True, True]
    assert output.read_bytes() == written
    with rows.paths[0].open("ab") as file:
        file.write(json.dumps(rollout(9)).encode() + b"\n")
    assert main([*command, "--overwrite"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(stage["rows_after"], stage["cached"]) for stage in told["stages"]] == [(11, False), (5, False)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[stage]]\nkind = 'filtr'\n", "Did you mean 'filter'"),
        ("[[stage]]\nwhere = ['reward > 1']\n", "stage 1 has no kind"),
        ("[[stage]]\nkind = 'filter'\nrewards = {min = 1}\n", "rewards"),
        ("seed = -1\n[[stage]]\nkind = 'filter'\n", "seed"),
        ("[[stage]", "no TOML file"),
        ("[[stage]]\nkind = 'filter'\n", "without a rule"),
        ("[[stage]]\nkind = 'no.module:Class'\n", "cannot be imported"),
        ("seed = 1\n", "stage"),
    ],
)
def test_pipeline_files_that_cannot_be_run_say_why(
    rows: Rows, tmp_path: Path, text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = tmp_path / "a.toml"
    pipeline.write_text(text)
    assert main(["curate", str(pipeline), "--input", str(rows.paths[0])]) == 2
    assert told in capsys.readouterr().err


def test_the_source_cannot_be_the_output(rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(rows.paths[0])
    before = rows.paths[0].read_bytes()
    assert main(["curate", "--where", "reward > 0", "--input", source, "--output", source, "--overwrite"]) == 2
    assert "cannot be written too" in capsys.readouterr().err
    assert rows.paths[0].read_bytes() == before


def test_nothing_left_is_exit_code_1(rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["curate", "--where", "reward > 5", "--input", str(rows.paths[0])]) == 1
    assert "reward > 5" in capsys.readouterr().out


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([None, 0.0, 0.25, 0.5, 1.0]), st.sampled_from(["a", "b", "c d e"])),
    min_size=1,
    max_size=30,
)
STAGES: dict[str, dict[str, Any]] = {
    "filter": {"where": ["reward >= 0.25"], "range": {"assistant_chars": {"max_quantile": 0.9}}},
    "detect": {},
    "bands": {},
    "balance": {"by": "task", "cap": 2},
    "best": {"count": 2},
    "unique": {},
    "diverse": {"count": 3},
    "curriculum": {"unknown": "last"},
    "outliers": {},
    "sample": {"count": 4, "by": "stratified"},
    "near_duplicates": {},
    "decontaminate": {"against": ["benchmark.jsonl"]},
}


@settings(max_examples=25)
@given(ROWS, st.sampled_from(sorted(STAGES)))
def test_every_stage_counts_exactly_is_stable_and_leaves_the_source_alone(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[int, float | None, str]], kind: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = opened(folder / "a.jsonl", [rollout(*entry) for entry in made])
    before = rows.paths[0].read_bytes()
    (folder / "benchmark.jsonl").write_text('{"question": "c d e"}\n')
    stage = stage_of(kind, STAGES[kind])
    once, twice = Pipeline([stage], folder=folder), Pipeline([stage, stage], folder=folder)
    found = curate(rows, once, caches=False)
    assert sum(rule.rows for rule in found.stages[0].dropped) == len(rows) - len(found.kept)
    assert len(set(found.kept.tolist())) == len(found.kept)
    if kind != "curriculum":
        assert found.kept.tolist() == sorted(found.kept.tolist())
    assert curate(rows, once, caches=False).kept.tolist() == found.kept.tolist()
    if kind not in ("sample", "balance", "outliers"):
        # Drawn rows and distances depend on what is there; all other stages change nothing the second time.
        assert curate(rows, twice, caches=False).kept.tolist() == found.kept.tolist()
    found.write(folder / "out.jsonl")
    source = before.splitlines()
    assert (folder / "out.jsonl").read_bytes().splitlines() == [source[row] for row in found.kept]
    assert rows.paths[0].read_bytes() == before


def test_every_kind_of_stage_is_in_the_property() -> None:
    assert {*STAGES, "decisions"} == set(KINDS)


@given(st.integers(0, 10_000), st.lists(st.floats(0.01, 100), min_size=1, max_size=12))
def test_shares_sum_to_the_total_and_are_nearest(total: int, weights: list[float]) -> None:
    found = shares(total, weights)
    assert sum(found) == total
    exact = [total * weight / sum(weights) for weight in weights]
    assert all(abs(count - wanted) < 1 + 1e-6 for count, wanted in zip(found, exact, strict=True))
