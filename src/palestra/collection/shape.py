"""Shaping the rewards of finished rollouts: read twice, written once, the raw reward kept beside."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palestra.collection.group import RAW_REWARD, content_of_line, task_key
from palestra.core.errors import PalestraError
from palestra.grading.shaping import ShapingStep, shaped
from palestra.store.paths import replacing
from palestra.store.scan import located_lines
from palestra.wire.encoding import encode_with_checksum

SHAPING = "shaping"


@dataclass(frozen=True, slots=True)
class Shaping:
    """What was done to the rewards of a file."""

    n: int
    steps: list[str]
    raw: dict[str, float | None]
    """Mean, least and most of the raw rewards."""
    shaped: dict[str, float | None]


def shape_rollouts(path: Path, output: Path, steps: Sequence[ShapingStep]) -> Shaping:
    """Write the rollouts of `path` with shaped rewards to `output`, in the same order.

    Memory holds 16 bytes a rollout, and the names of the tasks. Raises PalestraError if a line is no rollout with a
    reward, or was shaped before: the same steps would then be applied to what is no raw reward.
    """
    rewards, groups = array("d"), array("Q")
    numbers: dict[str, int] = {}
    for number, line in enumerate(located_lines(path)):
        content = content_of_line(path, line.content, number)
        rewards.append(reward_to_shape(content, f"{path} rollout {number}"))
        groups.append(numbers.setdefault(task_key(content), len(numbers)))
    try:
        values = shaped(rewards, groups, steps)
    except ValueError as error:
        raise PalestraError("usage", str(error)) from error
    texts = [step.text for step in steps]
    with replacing(output) as file:
        for number, (line, value) in enumerate(zip(located_lines(path), values, strict=True)):
            content = content_of_line(path, line.content, number)
            file.write(encode_with_checksum(with_shaped_reward(content, value, texts)) + b"\n")
    return Shaping(len(values), texts, spread_of(rewards), spread_of(values))


def reward_to_shape(line: Mapping[str, Any], origin: str) -> float:
    reward = line.get("reward")
    if not isinstance(reward, int | float):
        raise PalestraError("invalid-row", f"{origin} has the reward {reward!r}, not a number")
    if (line.get("palestra") or {}).get(SHAPING):
        fix = "Shape the file that it was made of."
        raise PalestraError("invalid-row", f"{origin} has a reward that was shaped already", fix=fix)
    return float(reward)


def with_shaped_reward(line: Mapping[str, Any], reward: float, steps: Sequence[str]) -> dict[str, Any]:
    """The rollout with another reward. Its components sum to the raw one, so they become plain fields."""
    own = dict(line.get("palestra") or {})
    for name in ("crc32", "components"):
        own.pop(name, None)
    kept = {name: value for name, value in line.items() if name != "palestra"}
    return {
        **kept,
        "reward": reward,
        RAW_REWARD: line.get(RAW_REWARD, line["reward"]),
        "palestra": {**own, SHAPING: list(steps)},
    }


def spread_of(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return dict.fromkeys(("mean", "min", "max"))
    return {"mean": sum(values) / len(values), "min": min(values), "max": max(values)}
