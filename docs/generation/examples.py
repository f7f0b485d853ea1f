"""reference/examples/*.json: one line of a real run for each scenario, from a scripted model, with a fixed clock."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palestra.collection.collect import collect
from palestra.collection.config import CollectConfig, ModelChoice
from palestra.wire.encoding import decode, encode_with_checksum

FOLDER = Path(__file__).parents[1] / "examples"
STARTED_AT = 1795533488.25
TIMING = (("open_s", 0.0004), ("model_s", 1.25), ("step_s", 0.0002), ("verify_s", 0.0006), ("total_s", 1.2514))


@dataclass(frozen=True)
class Scenario:
    """An environment, the task it plays, and what the model says."""

    environment: str
    replies: tuple[Any, ...]
    row: dict[str, Any] | None = None
    """Instead of the environment's first task."""
    options: dict[str, Any] = field(default_factory=dict)


def called(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": name, "arguments": json.dumps(arguments)}


SCENARIOS = {
    "single_turn": Scenario("mcqa", ("From E the next step of a major scale is a half tone: F. \\boxed{B}",)),
    "tool_call": Scenario(
        "example_single_tool_call", (called("get_weather", city="Genoa"), "It is cold in Genoa."),
        {"question": "How is the weather in Genoa?"},
    ),
    "multi_step": Scenario(
        "example_session_state_mgmt",
        (called("increment_counter", count=3), called("increment_counter", count=4), called("get_counter_value"),
         "The counter is at 12."),
        {"question": "Add 3 to the counter, then 4, and tell me where it is.", "initial_count": 5,
         "expected_count": 12},
    ),
    "reasoning": Scenario(
        "mcqa",
        (
            [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "E to F is a half tone."}]},
                "\\boxed{B}",
            ],
        ),
    ),
    "multi_turn": Scenario(
        "guess_number", ("50", "25", "37"), {"low": 1, "high": 100, "secret": 37, "max_guesses": 5},
    ),
    "multi_reward": Scenario(str(FOLDER / "brief_answer"), ("The capital of Italy is the city of Rome.",)),
    "failed": Scenario(
        "mcqa", ("\\boxed{B}",), {"question": "Which note comes after E?", "expected_answer": "B"},
    ),
}  # fmt: skip


def example_pages() -> Iterator[tuple[str, str]]:
    for name, scenario in SCENARIOS.items():
        text = json.dumps(line_of(name, scenario), indent=2, ensure_ascii=False)
        yield f"reference/examples/{name}.json", f"{text}\n"


def line_of(name: str, scenario: Scenario) -> dict[str, Any]:
    """The line that a collect of the scenario writes, whichever of the two files it is in."""
    # Names of files are part of a run's fingerprint, so they are relative.
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        folder = Path()
        (folder / "script.jsonl").write_text(json.dumps({"task": "*", "replies": scenario.replies}) + "\n")
        if scenario.row is not None:
            (folder / "rows.jsonl").write_text(json.dumps(scenario.row) + "\n")
        config = CollectConfig(
            environments=(scenario.environment,),
            model=ModelChoice(spec="scripted:script.jsonl"),
            output=folder / "rollouts.jsonl",
            input=folder / "rows.jsonl" if scenario.row is not None else None,
            limit=1,
            attempts=1,
        )
        report = asyncio.run(collect(config))
        path = report.paths.failures if name == "failed" else report.paths.rollouts
        return with_fixed_clock(json.loads(path.read_bytes()))


def with_fixed_clock(line: dict[str, Any]) -> dict[str, Any]:
    """The line as a run at one fixed time would have written it."""
    own = {**line["palestra"], "started_at": STARTED_AT, "timing": dict(TIMING)}
    response = {"response": {**line["response"], "created_at": int(STARTED_AT)}} if "response" in line else {}
    return decode(encode_with_checksum({**line, **response, "palestra": own}))
