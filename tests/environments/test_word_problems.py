"""The stories: their arithmetic, their grammar, and that a seed gives the same ones again."""

import re
from random import Random

import pytest

from palestra.core.discovery import find
from palestra.environments.word_problems.stories import SITUATIONS, Situation, write_story
from palestra.environments.word_problems.things import (
    BIRDS,
    CHILD,
    CONTAINERS,
    DAY,
    DOLLAR,
    FOODS,
    PAGE,
    ROW,
    SEAT,
    THINGS,
    TREE,
)

SITUATIONS_BY_NAME = {
    f"{difficulty}-{situation.__name__}": (difficulty, situation)
    for difficulty, situations in SITUATIONS.items()
    for situation in situations
}
STEPS = {1: 1, 2: 1, 3: 2, 4: 3}
STORIES_EACH = 300
SINGULARS = "|".join(
    thing.one for thing in (*THINGS, *CONTAINERS, *FOODS, *BIRDS, DOLLAR, PAGE, SEAT, ROW, DAY, CHILD, TREE)
)


def rows(seed: int, n: int, **options: object) -> list[dict[str, object]]:
    source = find("word_problems")
    return list(source.load().generate(seed, n, source.options(options)))


@pytest.mark.parametrize(("difficulty", "situation"), SITUATIONS_BY_NAME.values(), ids=SITUATIONS_BY_NAME)
def test_every_story_adds_up(difficulty: int, situation: Situation) -> None:
    for seed in range(STORIES_EACH):
        story = situation(Random(seed))
        assert len(story.steps) == STEPS[difficulty]
        for step in story.steps:
            left, operator, right, result = re.fullmatch(r"(\d+) ([-+*/]) (\d+) = (\d+)", step).groups()  # type: ignore[union-attr]
            values = {"+": int(left) + int(right), "-": int(left) - int(right), "*": int(left) * int(right)}
            assert int(result) == values.get(operator, int(left) / int(right))
        assert story.answer >= 0
        given = set(re.findall(r"\d+", story.question))
        known = given | {step.rpartition("= ")[2] for step in story.steps[:-1]}
        for step in story.steps:
            assert set(re.findall(r"\d+", step.partition("=")[0])) <= known, (story.question, step)


@pytest.mark.parametrize(("difficulty", "situation"), SITUATIONS_BY_NAME.values(), ids=SITUATIONS_BY_NAME)
def test_every_story_is_well_formed(difficulty: int, situation: Situation) -> None:
    for seed in range(STORIES_EACH):
        question = situation(Random(seed)).question
        assert question.endswith("?")
        assert "  " not in question
        assert re.match(r"[A-Z0-9]", question)
        assert not re.search(
            r"\b1 (?:more land|of them (?:are|were)|(?:toy |bread )?(?:\w+(?<!s)s|children))\b", question
        )
        assert not re.search(r"\b(?:[2-9]|\d\d+) (?:more lands|of them (?:is|was))\b", question)
        assert not re.search(rf"\b(?:[2-9]|\d\d+) (?:{SINGULARS})\b(?! note)", question)


def test_the_first_level_has_small_numbers_and_no_products() -> None:
    for index in range(STORIES_EACH):
        story = write_story(Random(index), 1)
        assert re.search(r"[-+]", story.steps[0])
        assert story.answer <= 24


def test_there_are_many_different_tasks() -> None:
    for difficulty in SITUATIONS:
        questions = {row["question"] for row in rows(1, 300, difficulty=difficulty)}
        assert len(questions) > 290


def test_tasks_depend_on_seed_and_difficulty_alone() -> None:
    assert rows(3, 20) == rows(3, 20)
    assert rows(3, 20)[:5] == rows(3, 5)
    assert rows(3, 20) != rows(4, 20)
    assert {row["difficulty"] for row in rows(3, 20, difficulty=4)} == {4}


def test_twelve_situations_or_more() -> None:
    assert len(SITUATIONS_BY_NAME) >= 12
    assert len(set(SITUATIONS_BY_NAME.values())) == len(SITUATIONS_BY_NAME)
