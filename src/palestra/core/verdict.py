"""What a verifier says of one transcript."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RESERVED = frozenset(
    {"responses_create_params", "response", "reward", "agent_ref", "palestra", "_ng_task_index", "_ng_rollout_index"}
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reward, and what explains it.

    `components` are the weighted parts of the reward: they sum to it. `metrics` are further values worth a column
    (an extracted answer, a flag, a count). Both become top-level fields of the rollout.
    Raises ValueError if a number is NaN or infinite, if the components do not sum to the reward, or if a name is taken.
    """

    reward: float
    components: Mapping[str, float] = field(default_factory=dict[str, float])
    metrics: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reason: str | None = None
    """Why this reward, in words for a reader."""

    def __post_init__(self) -> None:
        for name, value in (("reward", self.reward), *self.components.items()):
            if not math.isfinite(value):
                raise ValueError(f"{name} is {value}; a reward must be a finite number")
        if self.components and not math.isclose(sum(self.components.values()), self.reward, abs_tol=1e-6):
            raise ValueError(f"components sum to {sum(self.components.values())}, but the reward is {self.reward}")
        taken = RESERVED.intersection(self.components) | RESERVED.intersection(self.metrics)
        taken |= set(self.components).intersection(self.metrics)
        if taken:
            raise ValueError(f"{sorted(taken)} cannot name a component or metric: the name is taken")

    @staticmethod
    def of(value: object) -> "Verdict":
        """What `verify` returned, as a verdict. Raises TypeError if it is not a number or a Verdict."""
        if isinstance(value, Verdict):
            return value
        if isinstance(value, bool | int | float):
            return Verdict(float(value))
        raise TypeError(f"verify returned {type(value).__name__}, not a number or a Verdict: {str(value)[:200]}")
