"""Statistics of datasets are those of numpy and scipy."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from palestra.cli.main import main
from palestra.data.curate.diverse import features
from palestra.data.statistics import diversity as diversity_of_texts
from palestra.data.statistics.diversity import diversity
from palestra.data.statistics.numbers import describe, entropy
from tests.data.made_rollouts import call, message, rollout, write


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50, unique=True))
def test_moments_and_quantiles_are_those_of_scipy(values: list[float]) -> None:
    found = describe(np.array([*values, np.nan]))
    assert (found["count"], found["null"]) == (len(values), 1)
    assert found["mean"] == pytest.approx(np.mean(values), abs=1e-6)
    assert found["std"] == pytest.approx(np.std(values, ddof=1), rel=1e-9)
    if np.std(values) > 1e-3:
        assert found["skewness"] == pytest.approx(scipy.stats.skew(values), abs=1e-6)
        assert found["kurtosis"] == pytest.approx(scipy.stats.kurtosis(values), abs=1e-6)
    for share, value in found["quantiles"].items():
        assert value == pytest.approx(np.quantile(values, float(share)))
    assert sum(found["histogram"]["counts"]) == len(values)


def test_deviations_too_small_for_their_powers_are_no_error() -> None:
    assert describe(np.array([0.0, 7.8e-120]))["kurtosis"] == pytest.approx(-2)


@pytest.mark.parametrize("values", [[0.0, 5e-324], [1e16, 1e16 + 2], [-5e-324, 0.0, 5e-324]])
def test_numbers_too_close_for_twenty_bins_are_in_one(values: list[float]) -> None:
    found = describe(np.array(values))["histogram"]
    assert found == {"counts": [len(values)], "edges": [min(values), max(values)]}


def test_what_is_not_defined_is_none() -> None:
    assert describe(np.array([np.nan])) == {"count": 0, "null": 1}
    one = describe(np.array([3.0]))
    assert (one["std"], one["skewness"], one["kurtosis"], one["mean"]) == (None, None, None, 3.0)


@given(st.lists(st.integers(0, 100), max_size=20))
def test_entropy_is_that_of_scipy(counts: list[int]) -> None:
    expected = scipy.stats.entropy(counts, base=2) if sum(counts) else 0.0
    assert entropy(np.array(counts, np.float64)) == pytest.approx(expected)


@given(st.lists(st.text("ab cd", max_size=24), max_size=20), st.integers(1, 7))
def test_diversity_is_what_counting_one_by_one_gives(texts: list[str], rows_at_once: int) -> None:
    words = [text.split() for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diversity_of_texts, "ROWS_AT_ONCE", rows_at_once)
        found = diversity(texts)
    for length in (1, 2, 3):
        runs = [tuple(entry[place : place + length]) for entry in words for place in range(len(entry) - length + 1)]
        assert found[f"distinct_{length}"] == (len(set(runs)) / len(runs) if runs else None)
    vectors = features(texts)
    cosines = [[float(one @ other) for other in vectors] for one in vectors]
    near = sum(any(cosine >= 0.95 for cosine in cosines[row][:row]) for row in range(len(texts)))
    assert found["near_duplicate_rate"] == (near / len(texts) if texts else None)
    groups = [{row} for row in range(len(texts))]
    for row in range(len(texts)):
        for other in range(row):
            if cosines[row][other] >= 0.7:
                joined = set[int]().union(*(group for group in groups if group & {row, other}))
                groups = [group for group in groups if not group & joined] + [joined]
    assert found["largest_clusters"] == sorted(map(len, groups), reverse=True)[:10]


def test_diversity_of_texts() -> None:
    found = diversity(["a b a b", "a b a b", "quite other words"])
    assert (found["words"], found["vocabulary"]) == (11, 5)
    assert found["distinct_1"] == pytest.approx(5 / 11)
    assert found["distinct_2"] == pytest.approx(4 / 8)
    assert found["near_duplicate_rate"] == pytest.approx(1 / 3)
    assert (found["clusters"], found["largest_clusters"]) == (2, [2, 1])
    assert found["word_entropy_bits"] == pytest.approx(scipy.stats.entropy([4, 4, 1, 1, 1], base=2))
    assert diversity([])["near_duplicate_rate"] is None


def test_distributions_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = [rollout(number // 2, float(number % 2), "x" * number) for number in range(6)]
    made += [rollout(3, 1.0, output=[*call("search", "ok"), message("<b>done</b>")]), rollout(3, None, "?")]
    path, html = write(tmp_path / "a.jsonl", [*made, b"{broken"]), tmp_path / "a.html"
    assert main(["stats", str(path), "--distributions", "--json", "--html", str(html), "--sample", "5"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert "line 9 was skipped" in shown.err
    assert (found["rows"], found["bad_lines"]) == (8, 1)
    assert found["reward"]["mean"] == pytest.approx(4 / 7)
    assert found["reward"]["null"] == 1
    assert found["lengths"]["assistant_chars"]["max"] == 11
    assert found["tools"] == {"search": 1}
    assert found["tasks"]["success_rate"]["mean"] == pytest.approx((0.5 * 3 + 1) / 4)
    assert (found["tasks"]["tasks"], found["tasks"]["always_solved"]) == (4, 1)
    assert found["sample"] == {"rows": 5, "seed": 0}
    text = html.read_text()
    assert text.count("<svg") > 5
    assert "http" not in text
    assert main(["stats", str(path), "--distributions"]) == 0
    assert "assistant_chars" in capsys.readouterr().out
    assert main(["stats", str(path), "--html", str(path)]) == 2


def test_the_tokens_of_a_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    path = write(tmp_path / "a.jsonl", [rollout(0, 1.0, "one two three"), rollout(1, 1.0, "one")])
    command = ["stats", str(path), "--distributions", "--json", "--tokenizer"]
    assert main([*command, str(tmp_path / "tokenizer.json")]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"]["written"]["mean"] == 2
    assert main([*command, str(path)]) == 2
    assert "no tokenizer" in capsys.readouterr().err
