"""How the rollouts of each task went: a line for each task, and the metrics of each agent.

Beside the rollouts: <stem>_reward_profiling.jsonl and <stem>_agent_metrics.json. What each metric is:
docs/reference/metrics.md. A rollout that was to be made and is not there ends it, unless partial rollouts are allowed.

exit codes: 0 done; 1 a file cannot be written; 2 it could not start, or rollouts are missing."""

import sys
from itertools import islice
from pathlib import Path

from palestra.cli.gym.command import Call, GymParameters
from palestra.collection.answer_keys import AnswerKeys
from palestra.collection.profile import missing_rollouts, read_planned, read_plans, write_profile
from palestra.core.errors import PalestraError
from palestra.monitor.columns import Columns, Reading, read_columns
from palestra.monitor.metrics import agent_entry
from palestra.store.paths import RunPaths, replacing
from palestra.wire.encoding import encode

EXAMPLE = (
    "ng_reward_profile +materialized_inputs_jsonl_fpath=rollouts_materialized_inputs.jsonl "
    "+rollouts_jsonl_fpath=rollouts.jsonl"
)
MOST_TOLD = 5


class Parameters(GymParameters):
    """The files of a run."""

    materialized_inputs_jsonl_fpath: Path
    """The rows that were sent, each with its task and repeat."""
    rollouts_jsonl_fpath: Path
    """The rollouts that were made of them."""
    allow_partial_rollouts: bool = False
    """Go on if some are missing; each line then says how many."""


def execute(call: Call) -> int:
    parameters = call.parameters(Parameters)
    inputs, rollouts = parameters.materialized_inputs_jsonl_fpath, parameters.rollouts_jsonl_fpath
    for path in (inputs, rollouts):
        if not path.is_file():
            raise PalestraError("missing-file", f"no file {path}")
    problems: list[str] = []
    columns = read_columns([rollouts], problems, Reading(AnswerKeys([RunPaths(rollouts)]).of))
    for problem in problems:
        print(problem, file=sys.stderr)
    if not columns.agents:
        raise PalestraError("usage", f"there is no rollout in {rollouts}", fix="Name a file of rollouts.")
    if not parameters.allow_partial_rollouts:
        require_complete(columns, rollouts, inputs)
    for path in (write_lines(columns, rollouts, inputs), write_agents(columns, rollouts)):
        print(path)
    return 0


def require_complete(columns: Columns, rollouts: Path, inputs: Path) -> None:
    """Raises PalestraError naming the first rollouts that are missing."""
    missing = missing_rollouts(columns, read_planned(columns, [rollouts], lambda: None, [inputs]))
    first = list(islice(missing, MOST_TOLD))
    if first:
        count = len(first) + sum(1 for _ in missing)
        told = ", ".join(f"{task}:{repeat}" for task, repeat in first)
        fix = "Collect them with +resume_from_cache=true, or add +allow_partial_rollouts=true."
        message = f"{count} rollouts of {inputs} are not in {rollouts}, the first as task:repeat {told}"
        raise PalestraError("usage", message, fix=fix)


def write_lines(columns: Columns, rollouts: Path, inputs: Path) -> Path:
    path = RunPaths(rollouts).profile
    plans = read_plans(columns, [rollouts], lambda: None, [inputs])
    with replacing(path) as file:
        write_profile(columns, plans, [rollouts], file, lambda: None, [inputs])
    return path


def write_agents(columns: Columns, rollouts: Path) -> Path:
    """The metrics of each agent, beside its name."""
    path = RunPaths(rollouts).beside("_agent_metrics.json")
    entries = (agent_entry(name, agent) for name, agent in sorted(columns.agents.items()))
    with replacing(path) as file:
        for number, entry in enumerate(entries):
            file.write(b",\n" if number else b"[\n")
            file.write(encode({"agent_ref": entry["agent_ref"], **entry["agent_metrics"]}))
        file.write(b"\n]\n")
    return path
