"""What judging a reply came to."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from palestra.grading.repository_runs import Status
from palestra.grading.resolution import Resolution

REWARDS = MappingProxyType({Resolution.FULL: 1.0, Resolution.PARTIAL: 0.2, Resolution.NO: 0.0})


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of the tests, or of a script before and after the repair."""

    reward: float
    status: Status
    resolution: Resolution | None = None
    """Of repairs."""
    before: list[int | None] | None = None
    """Exit codes of reproductions: None if the script did not end by itself or not twice in the same way."""
    after: list[int | None] | None = None
    reason: str | None = None

    def as_result(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "resolution": None if self.resolution is None else self.resolution.value,
            "return_codes_before_patch": self.before,
            "return_codes_after_patch": self.after,
        }


def of_resolution(resolution: Resolution, status: Status = "done", reason: str | None = None) -> Outcome:
    return Outcome(REWARDS[resolution], status, resolution, reason=reason)
