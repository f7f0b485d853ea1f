"""code_gen on real problems: tables of the expected outputs pass, and fail with one line, number or sign changed."""

import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from palestra.grading.program_output import output_difference
from tests.environments.test_code_gen import judged, row_of


def contests(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "data" / "real" / "code_contests" / "code_contests_test.jsonl").read_text().splitlines()
    problems = [json.loads(line) for line in lines]
    assert len(problems) == 165
    return problems


NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")


def mutations(output: str, most: int = 2000) -> Iterator[str]:
    """The output with one line gone, doubled or changed, one number changed, or one sign changed.

    Of a long output about `most` characters' worth of places, evenly; of others all. What says the same is left out:
    a blank line at an end does not count, nor does a line equal to its neighbour.
    """
    every = 1 + len(output) // most
    for changed in chain(changed_lines(output, every), changed_numbers(output, every)):
        if changed.strip() != output.strip():
            yield changed


def changed_lines(output: str, every: int) -> Iterator[str]:
    lines = output.strip().split("\n")
    for place in range(0, len(lines), every):
        line = lines[place]
        yield "\n".join([*lines[:place], *lines[place + 1 :]])
        yield "\n".join([*lines[:place], line, *lines[place:]])
        yield "\n".join([*lines[:place], line.strip() + "x", *lines[place + 1 :]])


def changed_numbers(output: str, every: int) -> Iterator[str]:
    for found in islice(NUMBER.finditer(output), 0, None, every):
        before, word, after = output[: found.start()], found[0], output[found.end() :]
        yield f"{before}{word[:-1]}{(int(word[-1]) + 1) % 10}{after}"
        if word.strip("-+0."):
            yield f"{before}{word[1:] if word[0] in '-+' else '-' + word}{after}"


@pytest.mark.parametrize("most", [12, pytest.param(300, marks=pytest.mark.slow)])
def test_every_output_with_one_thing_changed_is_another(shared: Path, most: int) -> None:
    compared = 0
    for problem in contests(shared):
        for output in problem["tests"]["outputs"]:
            assert output_difference(output, output) is None
            for changed in mutations(output, most):
                compared += 1
                assert output_difference(changed, output) is not None, (changed[:200], output[:200])
    assert compared > 10_000


def table(problem: dict[str, Any], place: int = 0, changed: str | None = None) -> str:
    """A program that knows what to print for each input; for the one at a place, something else if so told."""
    inputs = problem["tests"]["inputs"]
    known = dict(zip(inputs, problem["tests"]["outputs"], strict=True))
    if changed is not None:
        known[inputs[place]] = changed
    return f"import sys\nprint({known!r}[sys.stdin.read()], end='')"


@pytest.mark.slow
def test_tables_of_real_problems_pass_and_changed_ones_fail(shared: Path) -> None:
    random = Random(0)
    pairs: list[tuple[dict[str, Any], str]] = []
    for problem in contests(shared):
        outputs = problem["tests"]["outputs"]
        row = row_of(problem["tests"])
        pairs.append((row, table(problem)))
        place = random.randrange(len(outputs))
        changed = random.choice(list(mutations(outputs[place], most=20)))
        pairs.append((row, table(problem, place, changed)))
    rewards = [verdict.reward for verdict in judged(pairs)]
    assert rewards == [1.0, 0.0] * 165
