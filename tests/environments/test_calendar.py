"""calendar: recorded rollouts, its scanner against a slow one, and generated conversations."""

import asyncio
import json
import re
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.core.discovery import find
from palestra.core.errors import Failure
from palestra.core.transcript import Transcript, assistant_message
from palestra.environments.calendar.planning import make_task, rearranged
from palestra.environments.calendar.regions import regions
from palestra.environments.calendar.schedule import bounds_of, clock, minutes
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from tests.environments.judging import judge_in, say

judge = partial(judge_in, "calendar")
ROWS = 60
"""Generated rows of each difficulty."""


def one_event(**fields: Any) -> dict[str, Any]:
    event = {"event_id": 0, "duration": 30, "constraint": None, "min_time": "10:00", "max_time": "16:00", **fields}
    return {"conversation": [{"role": "user", "content": "Plan it."}], "exp_cal_state": {"0": event}}


def listing(start: str, duration: float = 30) -> list[dict[str, Any]]:
    return say(json.dumps([{"event_id": 0, "event_name": "Yoga", "start_time": start, "duration": duration}]))


@pytest.mark.parametrize("compatible", [False, True])
def test_recorded_rollouts_keep_their_reward(shared: Path, compatible: bool) -> None:
    lines = (shared / "data" / "nemo_gym" / "calendar" / "recorded.jsonl").read_text().splitlines()
    rewards: list[float] = []
    for line in lines:
        entry = json.loads(line)
        verdict = judge(entry["row"], entry["recorded"]["response"]["output"], compatible=compatible)
        assert verdict.reward == entry["recorded"]["reward"], verdict
        rewards.append(verdict.reward)
    assert {0.0, 1.0} <= set(rewards)


def test_the_original_rows_are_solved_by_a_calendar_and_not_by_a_shifted_one(shared: Path) -> None:
    for line in (shared / "data" / "nemo_gym" / "calendar" / "example.jsonl").read_text().splitlines():
        row = json.loads(line)
        expected = {int(key): event for key, event in row["exp_cal_state"].items()}
        bounds = {
            key: (event["duration"], bounds_of(event["constraint"], "10:00", "16:00", compatible=False))
            for key, event in expected.items()
        }
        calendar = [
            {"event_id": key, "start_time": clock(start), "duration": expected[key]["duration"]}
            for key, start in rearranged(bounds, {}).items()
        ]
        assert judge(row, say(json.dumps(calendar))).reward == 1.0
        calendar[0]["start_time"] = "09:00"
        assert judge(row, say(json.dumps(calendar))).metrics["grade"] == "constraint_violated"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2pm", 840), ("10:30am", 630), ("10 am", 600), ("12am", 0), ("12pm", 720), ("12:30am", 30), ("24:00", 1440),
        (" 9:05 ", 545), ("13:00", 780),
    ],
)  # fmt: skip
def test_times_that_are_read(text: str, expected: int) -> None:
    assert minutes(text) == minutes(text, compatible=True) == expected


@pytest.mark.parametrize("text", ["10:00 AM", "9", "", "noon", "10:00:00", "１0:00", "1:5", "-1:00"])
def test_times_that_are_not_read(text: str) -> None:
    for compatible in (False, True):
        with pytest.raises(ValueError, match="no time"):
            minutes(text, compatible=compatible)


@pytest.mark.parametrize(("text", "counted"), [("13pm", 1500), ("10:75", 675), ("25:00", 1500)])
def test_times_beyond_the_day_are_counted_only_for_compatibility(text: str, counted: int) -> None:
    assert minutes(text, compatible=True) == counted
    with pytest.raises(ValueError, match="no time of a day"):
        minutes(text)


def slow_regions(text: str) -> list[str]:
    """The regions as a backtracking pattern finds them, whose time grows beyond all bounds."""
    pattern = re.compile(r"\[(?:\{[^}]*\}|[^\[\]])*?\{[^\[\]{}]*\}(?:\{[^}]*\}|[^\[\]])*\]")
    return [match[0] for match in pattern.finditer(text)]


@given(st.lists(st.sampled_from(["[", "]", "{", "}", "a", ",", "{b}", "[{c}", "{d}]"]), max_size=14).map("".join))
def test_a_region_is_found_exactly_where_there_is_one(text: str) -> None:
    found = list(regions(text))
    for region in found:
        assert re.fullmatch(r"\[(?:\{[^}]*\}|[^\[\]])*\]", region)
        assert re.search(r"\{[^\[\]]*\}", region)
    assert bool(found) == bool(slow_regions(text))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ('[1] and [{"a": 1}]', '[{"a": 1}]'),
        ('[[{"a": 1}]]', '[{"a": 1}]'),
        ('[{"a": "x ]"}, {"a": 2}]', '[{"a": "x ]"}, {"a": 2}]'),
        ('[{"a": "[ x"}]', None),
        ("[1, 2, 3] {}", None),
        ('{"a": 1}', None),
        ('[{"a": {"b": 1}}]', '[{"a": {"b": 1}}]'),
        ('text ] [ [{"a": 1}, 2', None),
    ],
)
def test_the_first_region(text: str, first: str | None) -> None:
    assert next(regions(text), None) == first


@pytest.mark.parametrize(
    "text",
    [
        "[{" * 250_000,
        "[" * 500_000,
        "[{}" * 300_000,
        "{[" * 250_000 + "}]" * 250_000,
        '[{"a":' * 80_000 + "}]" * 80_000,
    ],
)
def test_a_long_reply_takes_time_in_proportion(text: str) -> None:
    began = time.perf_counter()
    assert judge(one_event(), say(text)).reward == 0.0
    assert time.perf_counter() - began < 8.0


def test_the_list_is_found_behind_a_hundred_thousand_brackets() -> None:
    assert judge(one_event(), say("[{" * 60_000 + "} " + listing("10:00")[0]["content"][0]["text"])).reward == 1.0


def test_what_the_last_item_must_be() -> None:
    right = listing("10:00")
    assert judge(one_event(), right).reward == 1.0
    assert judge(one_event(), []).metrics["grade"] == "no_text"
    reasoning = {"type": "reasoning", "summary": [], "content": right[0]["content"]}
    assert judge(one_event(), [*right, reasoning]).metrics["grade"] == "no_text"
    call = {"type": "function_call", "name": "plan", "arguments": "{}", "call_id": "a"}
    assert judge(one_event(), [*right, call]).metrics["grade"] == "no_text"
    parts = [{"type": "output_text", "text": "Here:"}, *right[0]["content"]]
    assert judge(one_event(), [{**right[0], "content": parts}]).reward == 1.0
    assert judge(one_event(), [{**right[0], "content": parts}], compatible=True).reward == 0.0


@pytest.mark.parametrize(
    ("constraint", "right", "wrong"),
    [
        ("before 11am", "10:30", "10:31"),
        ("after 2:15pm", "14:15", "14:14"),
        ("between 10:30am and 12pm", "11:30", "11:31"),
        ("at 1pm", "13:00", "13:01"),
        (None, "15:30", "15:31"),
        ("before 13:00", "12:30", "12:45"),
    ],
)
def test_each_constraint_holds_to_the_minute(constraint: str | None, right: str, wrong: str) -> None:
    row = one_event(constraint=constraint)
    assert judge(row, listing(right)).reward == 1.0
    assert judge(row, listing(wrong)).metrics["grade"] == "constraint_violated"


@pytest.mark.parametrize(
    "fields",
    [
        {"constraint": "soon"}, {"constraint": "before lunch"}, {"constraint": "between 1pm"}, {"min_time": "ten"},
        {"duration": "half an hour"}, {"duration": 0}, {"duration": -30}, {"constraint": "at 10:75"},
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_judged_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Failure) as caught:
        judge(one_event(**fields), listing("10:00"))
    assert (caught.value.boundary, caught.value.code) == ("environment", "task-invalid")


def test_generated_calendars_pass_and_changed_ones_do_not() -> None:
    async def judged() -> None:
        source = find("calendar")
        host = LocalHost(source, source.options({}), GradingPool(1))
        for row in [make_task(Random(f"7/{level}/{index}"), level) for level in range(1, 6) for index in range(ROWS)]:
            session = await host.open(row, seed=0)

            async def grade(calendar: object, session: Any = session) -> str:
                text = calendar if isinstance(calendar, str) else json.dumps(calendar)
                verdict = await session.verify(Transcript(session.prompt, (assistant_message(text),)))
                assert verdict.reward == float(verdict.metrics["grade"] == "pass")
                return str(verdict.metrics["grade"])

            gold = row["solution"]
            assert await grade(gold) == "pass"
            assert await grade([{**gold[0], "duration": gold[0]["duration"] + 15}, *gold[1:]]) != "pass"
            assert await grade(gold[1:]) in ("different_number_of_events", "no_json_list")
            assert await grade([*gold, gold[0]]) in ("duplicate_event", "conflicting_events")
            assert await grade([{**gold[0], "start_time": "15:50"}, *gold[1:]]) != "pass"
            assert await grade([{**gold[0], "event_name": "Something else"}, *gold[1:]]) == "wrong_event_name"
            assert gold == sorted(gold, key=lambda event: event["event_id"])
            shown = [turn["content"] for turn in row["conversation"] if turn["role"] == "assistant"]
            if row["difficulty"] >= 4:
                assert await grade(shown[-1]) != "pass", "the last wish asks for nothing new"
                moved = [event for event in json.loads(shown[-1]) if event not in gold]
                assert len(moved) >= (1 if row["difficulty"] == 4 else 2)

    asyncio.run(judged())


def test_ten_thousand_tasks_differ() -> None:
    source = find("calendar")
    rows = list(source.load().generate(7, 2000, source.options({"difficulty": 3})))
    assert len({json.dumps(row["conversation"]) for row in rows}) > 1990
