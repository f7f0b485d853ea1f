"""Reward shaping: what a trainer is given in the place of raw rewards, step by step in a stated order.

Steps are functions of all rewards of a set of rollouts and of the task (the group) that each belongs to. They are
applied in the order in which they are named: clipping before normalising and after it are different things.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

Rewards = Sequence[float]
Groups = Sequence[Hashable]

ROUNDING = 1e-9
"""Rewards that differ by no more than this share of the largest are equal: 0.1 + 0.2 and 0.3 are no two rewards, and
a deviation of nothing but rounding would be blown up to 1."""


@dataclass(frozen=True, slots=True)
class ShapingStep:
    """One step, as it is written (`clip=-1,1`) and as a function of rewards and groups."""

    text: str
    apply: Callable[[Rewards, Groups], list[float]]


def shaped(rewards: Rewards, groups: Groups, steps: Iterable[ShapingStep]) -> list[float]:
    """The rewards after all steps, in their order; the raw ones are not changed.

    Raises ValueError if a reward is not finite, before or after a step, or if there are not as many groups as rewards.
    """
    if len(rewards) != len(groups):
        raise ValueError(f"{len(rewards)} rewards need as many groups, got {len(groups)}")
    values = require_finite("the raw rewards", list(rewards))
    for step in steps:
        values = require_finite(step.text, step.apply(values, groups))
    return values


def scale(factor: float, offset: float = 0.0) -> ShapingStep:
    """`factor * reward + offset`. Raises ValueError if the factor is 0: all rewards would become the same."""
    require_numbers("scale", factor, offset)
    if factor == 0:
        raise ValueError("scale by 0 would make all rewards the same")
    return ShapingStep(
        f"scale={factor:g},{offset:g}", lambda rewards, _: [factor * value + offset for value in rewards]
    )


def clip(lowest: float, highest: float) -> ShapingStep:
    """Each reward moved into [lowest, highest]. Raises ValueError if lowest is not below highest."""
    require_numbers("clip", lowest, highest)
    if not lowest < highest:
        raise ValueError(f"clip needs lowest < highest, got {lowest:g} and {highest:g}")
    return ShapingStep(
        f"clip={lowest:g},{highest:g}", lambda rewards, _: [min(max(value, lowest), highest) for value in rewards]
    )


def z_score() -> ShapingStep:
    """`(reward - mean) / deviation` over all rewards, with the population's standard deviation; 0 if all are equal."""
    return ShapingStep("z_score", lambda rewards, _: standardised(rewards))


def min_max() -> ShapingStep:
    """`(reward - least) / (most - least)` over all rewards, in [0, 1]; 0 if all are equal."""

    def apply(rewards: Rewards, _: Groups) -> list[float]:
        if not rewards:
            return []
        least, most = min(rewards), max(rewards)
        # Halves, because the distance of two large numbers may not be a float.
        width = most / 2 - least / 2
        return [(value / 2 - least / 2) / width if width > 0 else 0.0 for value in rewards]

    return ShapingStep("min_max", apply)


def group_normalise() -> ShapingStep:
    """The z-score among the rewards of the same task: GRPO's advantage; 0 for all where a task's rewards are equal.

    Source: Shao et al., "DeepSeekMath", 2024, section 4.1.2.
    """
    return ShapingStep("group", lambda rewards, groups: by_group(rewards, groups, standardised))


def group_centre() -> ShapingStep:
    """`reward - mean` among the rewards of the same task, not divided by their deviation.

    Source: Liu et al., "Understanding R1-Zero-like training", 2025, section 3.2 (Dr. GRPO).
    """
    return ShapingStep("group_centre", lambda rewards, groups: by_group(rewards, groups, centred))


WITHOUT_NUMBERS = MappingProxyType(
    {"z_score": z_score, "min_max": min_max, "group": group_normalise, "group_centre": group_centre}
)
WITH_NUMBERS = MappingProxyType({"scale": scale, "clip": clip})


def parse_step(text: str) -> ShapingStep:
    """A step from its text: `scale=FACTOR[,OFFSET]`, `clip=LOWEST,HIGHEST`, `z_score`, `min_max`, `group`,
    `group_centre`. Raises ValueError naming what is wrong and what there is."""
    name, equals, numbers = text.partition("=")
    if name in WITHOUT_NUMBERS and not equals:
        return WITHOUT_NUMBERS[name]()
    if name in WITH_NUMBERS and equals:
        try:
            return WITH_NUMBERS[name](*[float(number) for number in numbers.split(",")])
        except TypeError:
            raise ValueError(f"{text!r} has too many or too few numbers") from None
    known = ["scale=FACTOR[,OFFSET]", "clip=LOWEST,HIGHEST", *WITHOUT_NUMBERS]
    raise ValueError(f"no step is written {text!r}; there are: {', '.join(known)}")


def centred(rewards: Rewards) -> list[float]:
    # fsum divided last: the mean of equal rewards is that reward, so that their deviation is exactly 0.
    if min(rewards) == max(rewards):
        return [0.0] * len(rewards)
    mean = math.fsum(value / len(rewards) for value in rewards)
    return [value - mean for value in rewards]


def standardised(rewards: Rewards) -> list[float]:
    if not rewards:
        return []
    differences = centred(rewards)
    largest = max(map(abs, differences))
    if largest <= ROUNDING * max(map(abs, rewards)):
        return [0.0] * len(rewards)
    # Relative to the largest, so that no square is too large or too small for a float.
    relative = [difference / largest for difference in differences]
    deviation = math.sqrt(math.fsum(value * value for value in relative) / len(relative))
    return [value / deviation for value in relative]


def by_group(rewards: Rewards, groups: Groups, apply: Callable[[Rewards], list[float]]) -> list[float]:
    places: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    changed = [0.0] * len(rewards)
    for found in places.values():
        for place, value in zip(found, apply([rewards[place] for place in found]), strict=True):
            changed[place] = value
    return changed


def require_finite(what: str, values: list[float]) -> list[float]:
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{what} gave a reward of {value}; rewards must be finite numbers")
    return values


def require_numbers(name: str, *numbers: float) -> None:
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} needs finite numbers, got {', '.join(map(str, numbers))}")
