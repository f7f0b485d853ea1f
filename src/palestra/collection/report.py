"""How a run ended: its report, and the metrics file over all it has stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from palestra.collection.answer_keys import AnswerKeys
from palestra.collection.profile import Plan, read_plans, write_profile
from palestra.core.errors import PalestraError
from palestra.monitor.columns import Columns, Reading, read_columns
from palestra.monitor.group_lines import group_lines
from palestra.monitor.metrics import agent_entry
from palestra.store.paths import RunPaths, replacing
from palestra.wire.encoding import encode


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended."""

    paths: RunPaths
    judged: int
    """Rollouts judged by this process."""
    stored: int
    """Rollouts in the output file, those of earlier parts of the run included."""
    failures: dict[str, int]
    given_up: int
    """Rollouts not tried any more because they failed in too many attempts."""
    elapsed_s: float
    output_tokens: int
    metrics: list[dict[str, Any]]
    problems: list[str]
    stop_reason: str | None
    signal_number: int | None
    max_failure_rate: float

    @property
    def failure_rate(self) -> float:
        """The share of the whole run's rollouts that have no verdict, those of its earlier parts included."""
        failed = sum(self.failures.values()) + self.given_up
        return failed / (failed + self.stored) if failed else 0.0

    @property
    def exit_code(self) -> int:
        """0; 1 if too many rollouts failed, none was made, or the run was cut short; 128 + number after a signal."""
        if self.signal_number is not None:
            return 128 + self.signal_number
        failed_too_often = self.failure_rate > self.max_failure_rate
        return int(self.stop_reason is not None or failed_too_often or not (self.stored or self.failures))

    def to_json(self) -> dict[str, Any]:
        return {
            "output": str(self.paths.rollouts),
            "judged": self.judged,
            "stored": self.stored,
            "failures": self.failures,
            "given_up": self.given_up,
            "elapsed_s": round(self.elapsed_s, 3),
            "output_tokens": self.output_tokens,
            "key_metrics": {entry["agent_ref"]["name"]: entry["key_metrics"] for entry in self.metrics},
            "problems": self.problems,
            "stop_reason": self.stop_reason,
            "exit_code": self.exit_code,
        }


class Interrupted(Exception):
    """Somebody waits for the end."""


def never() -> bool:
    return False


def write_metrics(
    paths: RunPaths, problems: list[str], is_time_over: Callable[[], bool] = never
) -> list[dict[str, Any]]:
    """Metrics and profile over the whole output, as a second pass; no files if nothing was judged or time is over.

    What has a part for each task is only in the files: there may be a million of them.
    """

    def require_time() -> None:
        if is_time_over():
            raise Interrupted

    entries: list[dict[str, Any]] = []
    # The rollouts are safe, whatever happens to their metrics: that must not hide how the run ended.
    try:
        files = [paths.rollouts]
        columns = read_columns(files, problems, Reading(AnswerKeys([paths]).of, go_on=require_time))
        if columns.agents:
            plans = read_plans(columns, files, require_time)
            with replacing(paths.metrics) as file:
                written = write_aggregate(columns, plans, file, require_time)
            entries = written
            with replacing(paths.profile) as file:
                write_profile(columns, plans, files, file, require_time)
    except Interrupted:
        problems.append(f"there was no time for the metrics; `palestra stats {paths.rollouts}` makes them")
    except PalestraError as error:
        problems.append(str(error))
    return entries


def write_aggregate(
    columns: Columns, plans: Mapping[str, Plan], file: BinaryIO, require_time: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """Write the list of agents' entries with their groups, one group a line; gives the entries without groups."""
    entries: list[dict[str, Any]] = []
    for name, agent in sorted(columns.agents.items()):
        file.write(b",\n" if entries else b"[\n")
        entries.append(agent_entry(name, agent))
        file.write(encode(entries[-1])[:-1] + b',"group_level_metrics":[')
        for number, group in enumerate(group_lines(agent, plans[name].expected)):
            require_time()
            file.write((b",\n" if number else b"\n") + group.content)
        file.write(b"\n]}")
    file.write(b"\n]\n" if entries else b"[]\n")
    return entries
