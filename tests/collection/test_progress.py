"""The progress line says how far a run is, how fast, how good, and when it ends."""

import io
import re
from contextlib import suppress
from pathlib import Path

import pytest

from palestra.collection import progress as module
from palestra.collection.progress import ProgressLine, duration
from palestra.core.errors import Failure
from palestra.core.verdict import Verdict
from palestra.rollout.plan import Job
from palestra.rollout.record import Outcome

JOB = Job({}, "e", "h", 0, 0, 0, 1)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def judged(reward: float, tokens: int = 10) -> Outcome:
    return Outcome(JOB, {}, Verdict(reward), None, tokens)


def broken() -> Outcome:
    return Outcome(JOB, {}, None, Failure("model", "gone", code="model-timeout"))


def test_the_text_has_everything_a_waiting_person_asks_for() -> None:
    line = ProgressLine(io.StringIO(), 10, already_done=2)
    line.began -= 2.0
    for outcome in (judged(1.0), judged(0.0), judged(0.5), broken()):
        line.observe(outcome)
    text = line.text()
    assert re.fullmatch(r"6/10 \| 2\.0 rollouts/s \| 1[45] tokens/s \| reward 0\.500 \| 1 failed \| ETA 0:02", text), (
        text
    )
    assert line.failures == {"model-timeout": 1}


@pytest.mark.parametrize(("total", "done"), [(0, 0), (None, 0), (5, 0), (5, 5), (3, 5)])
def test_nothing_is_divided_by_zero(total: int | None, done: int) -> None:
    line = ProgressLine(io.StringIO(), total, already_done=done)
    line.began += 3600
    assert "reward -" in line.text()
    line.observe(broken())
    assert "1 failed" in line.text()
    line.end()


def test_more_done_than_planned_leaves_nothing_to_wait_for() -> None:
    line = ProgressLine(io.StringIO(), 1, already_done=5)
    line.observe(judged(1.0))
    assert line.text().endswith("ETA 0:00")


def test_a_terminal_shows_one_line_in_place() -> None:
    stream = Terminal()
    line = ProgressLine(stream, 3)
    for _ in range(3):
        line.observe(judged(1.0))
        line.show()
    line.end()
    text = stream.getvalue()
    assert text.count("\r") == 4
    assert text.count("\n") == 1
    assert text.endswith("\n")


def test_elsewhere_plain_lines_are_printed_now_and_then() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream, 3)
    for _ in range(50):
        line.show()
    assert stream.getvalue() == ""
    line.began -= module.LINE_INTERVAL_S
    for _ in range(50):
        line.show()
    line.end()
    assert stream.getvalue().count("\n") == 2
    assert "\r" not in stream.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3661, "1:01:01")])
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_remark_stands_on_a_line_of_its_own() -> None:
    terminal = Terminal()
    line = ProgressLine(terminal, 10)
    line.show()
    width = len(terminal.getvalue()) - 1
    line.remarks(lambda text: print(text, file=terminal))("a remark")
    assert terminal.getvalue().endswith("\r" + " " * width + "\ra remark\n")
    plain = io.StringIO()
    ProgressLine(plain, 10).remarks(lambda text: print(text, file=plain))("a remark")
    assert plain.getvalue() == "a remark\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full: only Linux has it")
def test_a_stream_that_cannot_be_written_costs_nothing_but_the_line() -> None:
    with Path("/dev/full").open("w") as full:
        line = ProgressLine(full, 10)
        line.end()
        line.remarks(lambda text: None)("a remark")
        line.stream = io.StringIO()
        line.end()
        assert "0/10" in line.stream.getvalue()
        with suppress(OSError):
            full.close()
