"""Difficulty: how often each task is solved, from the rows at hand or a profile, and which band that is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from palestra.core.errors import PalestraError
from palestra.data.curate.stage import Dropped, Numbers, Outcome, Settings, Surroundings
from palestra.data.derived import of_rows, success_rate, task_rollouts
from palestra.data.rows import Rows
from palestra.wire.encoding import decode
from palestra.wire.rows import TASK_INDEX, agent_name


class Difficulty(Settings):
    """Where the success rate of tasks comes from."""

    profile: Path | None = Field(default=None, examples=["profile.jsonl"])
    """A profile that `palestra stats --profile` wrote; the rows' own rewards otherwise. Of a profile the mean of
    `profile_field` is the success rate, so that profiles of another model or a later round can be used."""
    profile_field: str = Field(default="reward", examples=["reward"])
    """The field of the profile, whose `mean/<field>` is read."""
    success_reward: float = Field(default=1.0, examples=[1.0])
    """From this reward on a rollout is a success; without a profile."""

    def files(self, folder: Path) -> Sequence[Path]:
        return () if self.profile is None else (folder / self.profile,)

    def rates(self, rows: Rows, around: Surroundings) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """The success rate of each row's task; NaN where nothing is known of it."""
        if self.profile is None:
            return np.asarray(success_rate(rows, self.success_reward).to_numpy(zero_copy_only=False), np.float64)
        return profiled(rows, around.folder / self.profile, f"mean/{self.profile_field}")


def profiled(rows: Rows, path: Path, name: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """A number of each row's task from a profile: by agent and task index, or by index alone if no agent is named.

    Raises PalestraError if the profile cannot be read or no task of it is among the rows.
    """
    numbers: dict[tuple[str | None, int], float] = {}
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                entry = decode(line)
                if name not in entry:
                    raise PalestraError("usage", f"{path} line {number} has no {name!r}", fix="Name a field it has.")
                numbers[agent_name(entry.get("sample") or {}), int(entry[TASK_INDEX])] = float(entry[name])
    except OSError as error:
        raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PalestraError("invalid-row", f"{path} is no profile: {error}") from error
    codes, count = rows.tasks
    of_tasks = np.full(count, np.nan)
    known, firsts = np.unique(codes, return_index=True)
    for task, row in zip(known, firsts, strict=True):
        if task >= 0:
            agent, index = rows.column("agent")[int(row)].as_py(), rows.column("task_index")[int(row)].as_py()
            of_tasks[task] = numbers.get((agent, index), numbers.get((None, index), np.nan))
    if count and np.all(np.isnan(of_tasks)):
        raise PalestraError("usage", f"no task of {path} is among the rows", fix="Profile the file that is curated.")
    return np.asarray(of_rows(rows, of_tasks).to_numpy(zero_copy_only=False), np.float64)


class Bands(Difficulty):
    """Keep the tasks of some difficulty bands, such as those that are solved sometimes but not always.

    A band holds the success rates above its lower edge up to and including its upper one; the lowest holds 0 too.
    """

    kind: Literal["bands"] = "bands"
    edges: list[float] = Field(default=[0.0, 0.25, 0.75, 0.999], examples=[[0.0, 0.5, 0.9]])
    """Upper edges of all bands but the last, rising; the last one ends at 1."""
    labels: list[str] = Field(default=["unsolved", "hard", "medium", "easy", "solved"], examples=[["hard", "easy"]])
    """Names of the bands, from the least solved to the most: one more than edges."""
    keep: list[str] = Field(default=["hard", "medium", "easy"], examples=[["medium"]])
    """The bands that stay."""
    min_rollouts: int = Field(default=1, ge=1, examples=[4])
    """Tasks with fewer rollouts have no band, and are dropped; without a profile."""

    @model_validator(mode="after")
    def fits(self) -> "Bands":
        if self.edges != sorted(set(self.edges)) or len(self.labels) != len(self.edges) + 1:
            raise ValueError("edges must rise, and labels be one more than edges")
        if unknown := set(self.keep) - set(self.labels):
            raise ValueError(f"keep names {sorted(unknown)}, which are no labels")
        return self

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        rates = self.rates(rows, around)
        if self.profile is None and self.min_rollouts > 1:
            counts = np.asarray(task_rollouts(rows).to_numpy(zero_copy_only=False), np.float64)
            rates = np.where(np.nan_to_num(counts) >= self.min_rollouts, rates, np.nan)
        bands = np.where(np.isnan(rates), -1, np.searchsorted(self.edges, rates, side="left"))[kept]
        stays = np.isin(bands, [self.labels.index(name) for name in self.keep])
        tasks = rows.tasks[0][kept]
        facts: dict[str, Any] = {}
        dropped: list[Dropped] = []
        for number, label in enumerate([*self.labels, "no band"]):
            inside = bands == (number if number < len(self.labels) else -1)
            facts[label] = {"rows": int(inside.sum()), "tasks": len(np.unique(tasks[inside]))}
            gone = int(np.count_nonzero(inside & ~stays))
            if gone:
                dropped.append(Dropped(f"band {label}", gone, gone))
        return Outcome(kept[stays], dropped, {"bands": facts})
