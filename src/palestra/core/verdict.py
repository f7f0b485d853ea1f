"""What a verifier says of one transcript."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

RESERVED = frozenset(
    {"responses_create_params", "response", "reward", "agent_ref", "palestra", "_ng_task_index", "_ng_rollout_index"}
)

PLAIN = (str, int, bool, NoneType)
"""Types whose values are all JSON; asking an encoder costs more than judging does."""
NUMBERS = (float, int)
"""Also bool, which is an int."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reward, and what explains it.

    `components` are the weighted parts of the reward: they sum to it. `metrics` are further values worth a column
    (an extracted answer, a flag, a count). Both become top-level fields of the rollout.
    Raises ValueError if a number is NaN or infinite, if a metric is no JSON value, if the components do not sum to the
    reward, or if a name is taken. Names that start with `_ng_` are.
    """

    reward: float
    # `dict` alone has no type, and `dict[str, float]` costs five times as much to call.
    components: Mapping[str, float] = field(default_factory=lambda: {})  # noqa: PIE807
    metrics: Mapping[str, Any] = field(default_factory=lambda: {})  # noqa: PIE807
    reason: str | None = None
    """Why this reward, in words for a reader."""

    def __post_init__(self) -> None:
        check_number("reward", self.reward)
        if type(self.reward) is not float:
            # Also numpy's numbers and bool: what is written is a JSON number.
            object.__setattr__(self, "reward", float(self.reward))
        if self.components or self.metrics:
            self.check_details()

    def check_details(self) -> None:
        for name, value in self.components.items():
            check_number(name, value)
        object.__setattr__(self, "components", {name: float(value) for name, value in self.components.items()})
        if self.components and not math.isclose(sum(self.components.values()), self.reward, abs_tol=1e-6):
            raise ValueError(f"components sum to {sum(self.components.values())}, but the reward is {self.reward}")
        self.check_names()
        self.check_metrics()

    def check_names(self) -> None:
        names = [*self.components, *self.metrics]
        taken = {name for name in names if name in RESERVED or name.startswith("_ng_") or names.count(name) > 1}
        if taken:
            raise ValueError(f"{sorted(taken)} cannot name a component or metric: the name is taken")

    def check_metrics(self) -> None:
        for name, value in self.metrics.items():
            if type(value) in PLAIN:
                continue
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                raise ValueError(f"metric {name!r} is no JSON value: {error}") from error

    @staticmethod
    def of(value: object) -> "Verdict":
        """What `verify` returned, as a verdict. Raises TypeError if it is not a number or a Verdict."""
        if isinstance(value, Verdict):
            return value
        if isinstance(value, NUMBERS):
            return Verdict(float(value))
        raise TypeError(f"verify returned {type(value).__name__}, not a number or a Verdict: {str(value)[:200]}")


def check_number(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}; a reward must be a finite number")
