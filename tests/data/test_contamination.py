"""Test questions among training rows: planted ones are found, their controls are not."""

import json
import random
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.cli.main import main
from palestra.core.errors import PalestraError
from palestra.data.contamination import Benchmark, questions_of, words_of
from tests import export_rollouts as source

NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana")
THINGS = ("kites", "plums", "bricks", "shells", "coins", "ropes", "stamps", "lamps")
PLACES = ("market", "harbour", "garden", "station", "library", "mill", "bakery", "castle")
WORD_OF_ANY = re.compile(r"[^\W_]+")
WORD = st.text("abcdeéñß", min_size=1, max_size=4)


def question(drawn: random.Random) -> str:
    name, other = drawn.sample(NAMES, 2)
    thing, place = drawn.choice(THINGS), drawn.choice(PLACES)
    first, second, third = (drawn.randint(2, 999) for _ in range(3))
    return (
        f"{name} carries {first} {thing} from the {place} to {other}, who already owns {second} of them, and drops "
        f"{third} on the way. How many {thing} does {other} have in the end?"
    )


def reworded(text: str, drawn: random.Random) -> str:
    """Other case, blanks and punctuation."""
    words = [drawn.choice((str.upper, str.lower, str.title))(word.strip(".,?")) for word in text.split()]
    return drawn.choice(("  ", "\n", "\t")).join(word + drawn.choice(("", ",", "!", " -")) for word in words)


def embedded(text: str, drawn: random.Random) -> str:
    noise = " ".join(drawn.choice(THINGS + PLACES) for _ in range(60))
    return f"Here is something I found: {noise}. {text} Please answer it. {noise}"


def control(text: str, drawn: random.Random) -> str:
    """Another question in the same form: one that a shared run of words would take for the same."""
    return question(drawn) if drawn.random() < 0.5 else text.replace("How many", "Before that, how many")[40:]


def benchmark(texts: list[str], **settings: Any) -> Benchmark:
    return Benchmark(((f"benchmark line {number}", text) for number, text in enumerate(texts, 1)), **settings)


@pytest.mark.parametrize("disguise", [lambda text, drawn: text, reworded, embedded])
def test_every_planted_question_is_found_with_both_texts(disguise: Any) -> None:
    drawn = random.Random(1)
    questions = list(dict.fromkeys(question(drawn) for _ in range(60)))
    known = benchmark(questions)
    for number, text in enumerate(questions, 1):
        (match,) = known.matches("row", [disguise(text, drawn)])
        assert match.question.where == f"benchmark line {number}"
        assert match.question.text == text
        assert match.overlap == 1.0
        assert words_of(match.text)[:3] == words_of(text)[:3]


def test_other_questions_of_the_same_form_are_not() -> None:
    drawn = random.Random(2)
    questions = [question(drawn) for _ in range(200)]
    known = benchmark(questions)
    controls = [question(drawn) for _ in range(2000)]
    assert [match for text in controls if text not in questions for match in known.matches("row", [text])] == []


def test_instructions_that_all_questions_share_count_for_nothing() -> None:
    drawn = random.Random(3)
    instruction = "Think step by step, write down every step of your way, and put the number into a box at the end."
    questions = [f"{question(drawn)} {instruction}" for _ in range(20)]
    known = benchmark(questions)
    assert known.matches("row", [f"What is the colour of the sky over the harbour? {instruction}"]) == []
    assert len(known.matches("row", [questions[4]])) == 1


def test_a_question_with_a_few_words_changed_overlaps() -> None:
    text = " ".join(f"word{number}" for number in range(200))
    near = text.replace("word100", "other")
    (match,) = benchmark([text]).matches("row", [near])
    assert (match.kind, round(match.overlap, 2)) == ("overlap", round((188 - 13) / 188, 2))
    assert benchmark([text], min_overlap=0.95).matches("row", [near]) == []


def test_short_questions_must_be_a_whole_text() -> None:
    known = benchmark(["What is 2 + 2?", "Name the largest planet of all."])
    assert [match.kind for match in known.matches("row", ["what is 2, 2"])] == ["exact"]
    assert known.matches("row", ["Tell me: what is 2 + 2, and why?"]) == []
    assert [match.kind for match in known.matches("row", ["Now name the largest planet of all, please"])] == [
        "contained"
    ]


@given(st.lists(WORD, min_size=5, max_size=40), st.lists(WORD, max_size=20), st.lists(WORD, max_size=20))
def test_whatever_holds_all_words_in_a_row_holds_the_question(
    words: list[str], before: list[str], after: list[str]
) -> None:
    text = "; ".join([*before, *words, *after])
    assert [match.overlap for match in benchmark([" ".join(words)]).matches("row", [text.upper()])] == [1.0]


@given(st.text())
def test_words_of_ascii_are_those_of_any_text(text: str) -> None:
    assert words_of(text) == WORD_OF_ANY.findall(unicodedata.normalize("NFKC", text).casefold())
    ascii_text = text.encode("ascii", "replace").decode()
    assert words_of(ascii_text) == WORD_OF_ANY.findall(ascii_text.lower())


@given(st.lists(st.lists(st.lists(WORD, max_size=8).map(" ".join), max_size=3), max_size=5), st.data())
def test_a_quick_look_misses_no_row(rows: list[list[str]], data: st.DataObject) -> None:
    questions = data.draw(st.lists(st.lists(WORD, min_size=1, max_size=15).map(" ".join), min_size=1, max_size=4))
    if rows:
        rows[data.draw(st.integers(0, len(rows) - 1))].append(f"so {questions[0]} it is")
    known = benchmark(questions)
    suspicious = known.suspicious(rows)
    assert {row for row, texts in enumerate(rows) if known.matches("row", texts)} <= set(suspicious)
    slowly = [any(map(known.candidates, map(known.numbered, texts))) for texts in rows]
    assert suspicious == np.flatnonzero(slowly).tolist()


def test_questions_by_their_usual_fields(tmp_path: Path) -> None:
    path = tmp_path / "benchmark.jsonl"
    task = source.rollout("From a task row?", [], None)
    path.write_bytes(b'{"question": "Plain?"}\n{"id": "x", "problem": "Hard?"}\n' + source.lines_of([task]))
    assert [text for _, text in questions_of(path, None)] == ["Plain?", "Hard?", "From a task row?"]
    path.write_text('{"stem": "Where?"}\n')
    assert [text for _, text in questions_of(path, "stem")] == ["Where?"]
    with pytest.raises(PalestraError, match=r"(?s)its texts are: stem.*--field"):
        list(questions_of(path, None))


@pytest.mark.slow
def test_two_hundred_planted_among_a_hundred_thousand_rows_and_no_control(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = random.Random(4)
    questions = list(dict.fromkeys(question(drawn) for _ in range(400)))[:200]
    (tmp_path / "benchmark.jsonl").write_text("".join(json.dumps({"question": text}) + "\n" for text in questions))
    disguises = (lambda text, drawn: text, reworded, embedded)
    planted = [disguises[number % 3](text, drawn) for number, text in enumerate(questions)]
    controls = [control(text, drawn) for text in questions]
    fillers = [embedded("", drawn) for _ in range(99_600)]
    texts = [*planted, *controls, *fillers]
    places = list(range(len(texts)))
    drawn.shuffle(places)
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(source.lines_of([source.rollout(texts[place], [source.said("Yes.")], 1.0) for place in places]))
    output = tmp_path / "clean.jsonl"
    against = str(tmp_path / "benchmark.jsonl")
    command = ["data", "decontaminate", "--against", against, "--input", str(rows), "--output", str(output), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["contaminated"] == 200
    expected = {f"{rows} line {line}" for line, place in enumerate(places, 1) if place < 200}
    assert {match["row"] for match in found["matches"]} == expected
    kept = [line for line, place in enumerate(places, 1) if place >= 200]
    lines = rows.read_bytes().splitlines()
    assert output.read_bytes().splitlines() == [lines[line - 1] for line in kept]
