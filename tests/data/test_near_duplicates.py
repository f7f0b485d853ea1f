"""Near duplicates: how alike signatures say texts are, and which rows stay."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.data.curate.near import NearDuplicates
from palestra.data.curate.stage import Surroundings
from palestra.data.rows import Rows
from palestra.data.similarity import READ_BYTES, clusters, near_pairs, normalised, runs, shingles, signatures
from palestra.data.texts import text_of_part, texts_of
from tests import export_rollouts as source

WORDS = [f"{a}{b}{c}" for a in "bcdfg" for b in "aeiou" for c in "lmnrs"]


def text(random_of: random.Random, words: int = 120) -> str:
    return " ".join(random_of.choice(WORDS) for _ in range(words))


def changed(original: str, words: int) -> str:
    """The text with its last words replaced."""
    kept = original.split()
    return " ".join(kept[: len(kept) - words] + ["zzz"] * words)


def true_similarity(one: str, other: str) -> float:
    first, second = (set(shingles([normalised(each)])[0].tolist()) for each in (one, other))
    return len(first & second) / len(first | second)


def test_signatures_estimate_the_jaccard_similarity() -> None:
    drawn = random.Random(5)
    errors: list[float] = []
    for words in (0, 6, 12, 24, 48):
        for _ in range(20):
            one = text(drawn)
            other = changed(one, words)
            signed = signatures([one, other])
            errors.append(float(np.mean(signed[0] == signed[1])) - true_similarity(one, other))
    # 64 entries: a standard deviation of at most 1/16, over 100 pairs.
    assert abs(np.mean(errors)) < 0.02
    assert np.max(np.abs(errors)) < 0.25


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_a_signature_does_not_depend_on_its_company(texts: list[str]) -> None:
    together = signatures(texts)
    assert all(np.array_equal(together[index], signatures([each])[0]) for index, each in enumerate(texts))


@given(st.text())
def test_case_and_blanks_do_not_count(words: str) -> None:
    spaced = "  " + words.replace(" ", "\n\t ") + "\n"
    assert np.array_equal(signatures([words])[0], signatures([spaced])[0])


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_clusters_are_what_pairs_connect(pairs: list[tuple[int, int]]) -> None:
    found = clusters(20, [(np.array([min(pair)]), np.array([max(pair)])) for pair in pairs])
    groups = [{row} for row in range(20)]
    for one, other in pairs:
        joined = next(group for group in groups if one in group) | next(group for group in groups if other in group)
        groups = [group for group in groups if not group & joined] + [joined]
    assert found == [min(next(group for group in groups if row in group)) for row in range(20)]


def rows_of(folder: Path, answers: list[tuple[int, str, float]]) -> Rows:
    path = folder / "rows.jsonl"
    lines = [
        source.rollout(f"Question {task}?", [source.said(each)], reward, task=task) for task, each, reward in answers
    ]
    path.write_bytes(source.lines_of(lines))
    return Rows.open([path])


def kept(rows: Rows, **settings: object) -> list[int]:
    stage = NearDuplicates.model_validate(settings)
    outcome = stage.run(rows, np.arange(len(rows)), Surroundings(0))
    assert len(outcome.kept) + sum(rule.rows for rule in outcome.dropped) == len(rows)
    return outcome.kept.tolist()


def test_one_of_almost_equal_answers_stays(tmp_path: Path) -> None:
    drawn = random.Random(6)
    one, other = text(drawn), text(drawn)
    answers = [(1, one, 0.5), (1, other, 1.0), (1, changed(one, 3), 1.0), (2, one, 0.0), (1, other.upper(), 0.0)]
    rows = rows_of(tmp_path, answers)
    assert kept(rows) == [0, 1, 3]
    assert kept(rows, by="reward") == [1, 2, 3]
    assert kept(rows, within=None) == [0, 1]
    assert kept(rows, threshold=1.0) == [0, 1, 2, 3]


@pytest.mark.slow
def test_planted_duplicates_are_found_and_others_are_not_touched(tmp_path: Path) -> None:
    drawn = random.Random(7)
    answers = [(number % 40, text(drawn), 1.0) for number in range(1500)]
    copies = [(task, changed(answer, 1), reward) for task, answer, reward in answers[:300]]
    rows = rows_of(tmp_path, answers + copies)
    assert kept(rows) == list(range(1500))
    again = kept(rows, within=None)
    assert again == list(range(1500))


def test_pairs_are_earlier_and_later() -> None:
    signed = signatures(["the same words here"] * 4)
    for earlier, later in near_pairs(signed, 1.0):
        assert np.all(earlier < later)


PARTS = st.lists(
    st.one_of(
        st.text(max_size=4),
        st.fixed_dictionaries(
            {"type": st.sampled_from(["output_text", "refusal"])}, optional={"text": st.text(max_size=4)}
        ),
        st.integers(),
    ),
    max_size=2,
)
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "reasoning", "function_call", "function_call_output", None, 5]),
        "role": st.sampled_from(["assistant", "user", None]),
        "content": st.one_of(st.none(), st.text(max_size=4), PARTS),
        "summary": st.one_of(st.none(), st.text(max_size=2), PARTS),
        "arguments": st.sampled_from(["{}", 7]),
    },
)
ITEMS = st.one_of(st.lists(ITEM, max_size=4), st.lists(st.lists(ITEM, max_size=2), max_size=2), st.text(max_size=3))
ROW = st.fixed_dictionaries(
    {},
    optional={
        "responses_create_params": st.one_of(
            st.none(),
            st.fixed_dictionaries({"input": ITEMS}, optional={"instructions": st.sampled_from(["be brief", None, 3])}),
        ),
        "response": st.one_of(st.none(), st.integers(), st.fixed_dictionaries({"output": ITEMS})),
        "note": st.text(max_size=3),
    },
)


@given(ROW)
def test_one_text_of_a_row_is_what_reading_all_of_it_gives(row: dict[str, Any]) -> None:
    line = json.dumps(row).encode()
    texts = texts_of(line)
    assert tuple(text_of_part(line, part) for part in ("prompt", "written", "answer")) == texts


@pytest.mark.parametrize("line", [b"[]", b"{", b'{"response": {"output": [}}', b"7"])
def test_a_line_that_is_no_row_is_refused_whatever_is_read_of_it(line: bytes) -> None:
    for part in ("prompt", "written", "answer"):
        with pytest.raises(ValueError, match=r"object|line 1"):
            text_of_part(line, part)


def test_rows_that_are_kept_apart_are_no_pair() -> None:
    signed = signatures(["the same words here"] * 4)
    apart = np.array([5, -1, 5, -1])
    found = {pair for left, right in near_pairs(signed, 1.0, apart) for pair in zip(left, right, strict=True)}
    assert found == {(0, 2), (1, 3)}


@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 200_000)), max_size=12), st.booleans())
def test_rows_that_follow_each_other_are_read_together(gaps: list[tuple[int, int]], is_backwards: bool) -> None:
    places: list[tuple[int, int]] = []
    end = 0
    for gap, length in gaps:
        places.append((end + gap, length))
        end += gap + length
    if is_backwards:
        places.reverse()
    found = list(runs(places))
    assert [place for _, _, together in found for place in together] == places
    for first, last, together in found:
        assert (first, last) == (together[0][0], sum(together[-1]))
        assert len(together) == 1 or last - first <= READ_BYTES
