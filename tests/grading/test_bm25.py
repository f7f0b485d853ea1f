"""BM25: ranking against the formula computed by hand, ties, and queries of any form."""

import math

from hypothesis import given
from hypothesis import strategies as st

from palestra.grading.bm25 import Index, words_of

CORPUS = ("the red fox", "the red red hen runs", "a blue whale")


def test_scores_are_those_of_the_formula() -> None:
    hits = Index(CORPUS).search("red", 5)
    rarity = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    mean = (3 + 5 + 3) / 3
    expected = {
        place: rarity * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / mean))
        for place, times, length in ((0, 1, 3), (1, 2, 5))
    }
    assert {hit.place: round(hit.score, 12) for hit in hits} == {
        place: round(score, 12) for place, score in expected.items()
    }
    assert [hit.place for hit in hits] == [1, 0]


def test_a_rare_word_outweighs_a_common_one() -> None:
    assert Index(CORPUS).search("the whale", 1)[0].place == 2


def test_equal_documents_keep_their_order() -> None:
    assert [hit.place for hit in Index(["same words"] * 4).search("words", 3)] == [0, 1, 2]


def test_case_accents_punctuation_and_plurals_do_not_count() -> None:
    assert words_of("Whales, WHALE; glass! gas") == ["whale", "whale", "glass", "gas"]
    assert words_of("Würzburg, STRASSE, Straße") == ["wurzburg", "strasse", "strasse"]


def test_nothing_is_found_without_a_shared_word() -> None:
    assert Index(CORPUS).search("zebra", 3) == []
    assert Index([]).search("zebra", 3) == []
    assert Index(CORPUS).search("", 3) == []


@given(st.lists(st.text(max_size=40), max_size=8), st.text(max_size=80), st.integers(1, 5))
def test_any_query_gives_at_most_the_limit_best_first(documents: list[str], query: str, limit: int) -> None:
    hits = Index(documents).search(query, limit)
    assert len(hits) <= limit
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.place for hit in hits}) == len(hits)


def test_a_query_of_a_megabyte_is_answered_at_once() -> None:
    assert Index(CORPUS).search("whale " + "x" * 1_000_000, 1)[0].place == 2
