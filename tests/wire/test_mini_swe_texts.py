"""The texts of mini-swe-agent's conversation."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.wire.mini_swe import (
    LONGEST_OUTPUT,
    TOO_LONG,
    commands_of,
    format_error,
    is_answer,
    observation,
    shown,
    submission_of,
)

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "nemo_gym" / "mini_swe_agent" / "recorded.jsonl"
PATTERN = re.compile(r"```bash\n(.*?)\n```", re.DOTALL)
PIECES = ["```bash\n", "```bash", "\n```", "```", "\n", "ls", " "]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_blocks_are_those_of_the_harnesss_pattern(text: str) -> None:
    assert commands_of(text) == [block.strip() for block in PATTERN.findall(text)]


def test_a_hostile_reply_is_read_in_one_pass() -> None:
    # The pattern looks for the end of each block through all the rest of the text.
    assert commands_of("```bash\nx" * 200_000) == []


def test_both_ends_of_a_long_output_are_shown() -> None:
    text = "a" * 5000 + "b" * 7 + "c" * 5000
    assert f"<output_head>\n{'a' * 5000}\n</output_head>" in shown(text)
    assert "<elided_chars>\n7 characters elided\n</elided_chars>" in shown(text)
    assert f"<output_tail>\n{'c' * 5000}\n</output_tail>" in shown(text)
    assert shown("d" * LONGEST_OUTPUT) == f"<output>\n{'d' * LONGEST_OUTPUT}</output>"


@pytest.mark.parametrize(
    ("output", "submitted"),
    [
        ("MINI_SWE_AGENT_FINAL_OUTPUT\ndiff\n \n", "diff\n \n"),
        ("\n MINI_SWE_AGENT_FINAL_OUTPUT \r\n", ""),
        ("MINI_SWE_AGENT_FINAL_OUTPUT", ""),
        ("MINI_SWE_AGENT_FINAL_OUTPUT diff\n", None),
        ("x\nMINI_SWE_AGENT_FINAL_OUTPUT\n", None),
        ("", None),
    ],
)
def test_what_is_submitted(output: str, submitted: str | None) -> None:
    assert submission_of(output) == submitted


def test_answers_are_told_from_submissions() -> None:
    answers = [format_error(0), format_error(2), observation(1, ""), observation(-1, "x", exception="late")]
    assert all(map(is_answer, answers))
    assert not is_answer("diff --git a/x b/x\n")
    assert not is_answer("")


def test_a_repeated_command_and_a_late_one_are_told() -> None:
    assert "3 times in a row" in observation(0, "x", repeated=3)
    late = "<exception>late</exception>\n<returncode>-1</returncode>\n<output>\nx</output>"
    assert observation(-1, "x", exception="late") == late
    assert observation(0, "x\n") == "<returncode>0</returncode>\n<output>\nx\n</output>"


def recorded_texts() -> list[tuple[str, str]]:
    if not RECORDED.exists():
        pytest.skip("the recorded rollouts are not beside the checkout")
    found: list[Any] = []
    for line in RECORDED.read_text().splitlines():
        for item in json.loads(line)["recorded"]["response"]["output"]:
            found.append((item["role"], item["content"][0]["text"]))
    return found


def test_recorded_conversations_have_the_same_form() -> None:
    texts = recorded_texts()
    assert len(texts) == 56
    submissions = 0
    for (_, before), (role, text) in pairwise(texts):
        if role == "assistant":
            assert len(commands_of(text)) == 1
        elif not is_answer(text):
            assert "MINI_SWE_AGENT_FINAL_OUTPUT" in commands_of(before)[0]
            assert text.startswith("diff --git")
            submissions += 1
        elif "<warning>" in text:
            own = re.sub(r"(?<=<warning>\n).*?(?=\n</warning>)", lambda _: TOO_LONG, text, flags=re.DOTALL)
            head, tail = (
                re.search(f"<output_{end}>\n(.*)\n</output_{end}>", text, re.DOTALL) for end in ("head", "tail")
            )
            elided = re.search(r"(\d+) characters elided", text)
            assert head is not None
            assert tail is not None
            assert elided is not None
            output = head[1] + "x" * int(elided[1]) + tail[1]
            assert observation(0, output) == own
        else:
            code, output = re.fullmatch(
                r"<returncode>(\d+)</returncode>\n<output>\n(.*)</output>", text, re.DOTALL
            ).groups()  # type: ignore[union-attr]
            assert observation(int(code), output) == text
    assert submissions == 2
