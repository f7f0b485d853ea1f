"""Metrics of rollout files, of any producer of the format: read once, streaming.

Means have 95 % intervals that take into account that rollouts of one task are alike. What each metric is:
docs/reference/metrics.md.

exit codes: 0 done; 1 the files hold no rollout; 2 it could not start."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from palestra.cli.metrics_table import HEADER, metric_rows
from palestra.cli.options import add_json_option
from palestra.cli.output import print_json, print_table
from palestra.collection.answer_keys import AnswerKeys
from palestra.collection.profile import Plan, read_plans, write_profile
from palestra.collection.report import write_aggregate
from palestra.core.errors import PalestraError, suggestion
from palestra.data.extra import data_packages
from palestra.monitor.columns import Columns, Reading, read_columns
from palestra.monitor.lines import located
from palestra.monitor.metrics import agent_entry
from palestra.store.paths import RunPaths, replacing
from palestra.wire.encoding import decode

EXAMPLE = "palestra stats rollouts.jsonl --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="F", help="rollout files")
    answer = "the field that holds a rollout's answer, for majority@k; installed environments say it themselves"
    parser.add_argument("--answer-key", metavar="FIELD", help=answer)
    subsets = "a field of the tasks, such as difficulty: metrics in percent for each of its values"
    parser.add_argument("--subset-by", metavar="FIELD", help=subsets)
    profile = "write a line for each task: its row, its statistics and the numbers of its rollouts"
    parser.add_argument("--profile", type=Path, metavar="OUT", help=profile)
    distributions = "distributions of the rows instead: rewards, lengths, tasks, tools, diversity of texts"
    parser.add_argument("--distributions", action="store_true", help=distributions)
    parser.add_argument("--html", type=Path, metavar="OUT", help="write the distributions as a page with plots")
    sample = "of how many rows texts are read for the distributions"
    parser.add_argument("--sample", type=int, default=2000, metavar="N", help=sample)
    tokenizer = "count tokens of the sampled texts with a tokenizer.json"
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help=tokenizer)
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    files: list[Path] = arguments.files
    for path in files:
        if not path.is_file():
            raise PalestraError("missing-file", f"no file {path}")
    if twice := [str(path) for path in files if sum(path.samefile(other) for other in files) > 1]:
        raise PalestraError("usage", f"{twice[0]} is named twice", fix="Its rollouts would count twice: name it once.")
    if arguments.profile is not None:
        require_free(arguments.profile, files)
    if arguments.distributions or arguments.html is not None:
        return show_distributions(arguments)
    return show_metrics(arguments, files)


def show_metrics(arguments: argparse.Namespace, files: Sequence[Path]) -> int:
    problems: list[str] = []
    keys = AnswerKeys([RunPaths(path) for path in files], arguments.answer_key)
    columns = read_columns(files, problems, Reading(keys.of, arguments.subset_by))
    for problem in problems:
        print(problem, file=sys.stderr)
    require_known(columns, files, arguments.answer_key, arguments.subset_by)
    plans: dict[str, Plan] = {}
    if arguments.json or arguments.profile is not None:
        plans = read_plans(columns, files, lambda: None)
    if arguments.profile is not None:
        with replacing(arguments.profile) as file:
            write_profile(columns, plans, files, file, lambda: None)
    if arguments.json:
        sys.stdout.flush()
        write_aggregate(columns, plans, sys.stdout.buffer)
    else:
        print_columns(columns)
    if not columns.agents:
        print(f"palestra: there is no rollout in {', '.join(map(str, files))}", file=sys.stderr)
    return 0 if columns.agents else 1


def show_distributions(arguments: argparse.Namespace) -> int:
    """Statistics from the index beside each file, which is built if there is none."""
    with data_packages():
        from palestra.data.rows import Rows
        from palestra.data.statistics.dataset import dataset_statistics, token_counter
        from palestra.data.statistics.page import page
    if arguments.sample < 1:
        raise PalestraError("usage", f"--sample must be at least 1, got {arguments.sample}")
    if arguments.html is not None:
        require_free(arguments.html, arguments.files, "--html")
    counter = token_counter(arguments.tokenizer) if arguments.tokenizer is not None else None
    rows = Rows.open(arguments.files)
    for problem in rows.problems:
        print(f"{problem.path} line {problem.line} was skipped: {problem.reason}", file=sys.stderr)
    found = dataset_statistics(rows, sample=arguments.sample, tokens_of=counter)
    if arguments.html is not None:
        with replacing(arguments.html) as file:
            file.write(page(", ".join(path.name for path in arguments.files), found).encode())
    if arguments.json:
        print_json(found)
    else:
        numbers = {"reward": found["reward"], "success_rate": found["tasks"]["success_rate"], **found["lengths"]}
        columns = ("count", "mean", "std", "min", "max")
        print_table(("", *columns), [(name, *map(cell, map(about.get, columns))) for name, about in numbers.items()])
    return 0 if len(rows) else 1


def cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def require_free(profile: Path, files: Sequence[Path], option: str = "--profile") -> None:
    """The profile may replace an older one, but nothing that it is made of. Told before the files are read."""
    if profile.is_dir() or not profile.parent.is_dir():
        problem = "is a folder" if profile.is_dir() else f"cannot be written: there is no folder {profile.parent}"
        raise PalestraError("usage", f"{option} {profile} {problem}", fix="Name a file in a folder that exists.")
    runs = [RunPaths(path) for path in files]
    sources = [path for run in runs for path in (run.rollouts, run.inputs, run.failures)]
    if any(os.path.realpath(profile) == os.path.realpath(source) for source in sources):
        raise PalestraError("usage", f"{option} {profile} is a file of the run", fix="Name a file of its own.")


def require_known(columns: Columns, files: Sequence[Path], answer_key: str | None, subset_field: str | None) -> None:
    """A field that no rollout has is a mistake, not an empty metric."""
    agents = columns.agents.values()
    for option, name, found in (
        ("--answer-key", answer_key, any(agent.has_answers for agent in agents)),
        ("--subset-by", subset_field, any(agent.subset_names for agent in agents)),
    ):
        if agents and name is not None and not found:
            raise PalestraError("usage", f"{option}: no rollout has a field {name!r}.{suggestion(name, fields(files))}")


def fields(files: Sequence[Path]) -> list[str]:
    """The fields of the first rollout that can be read, and of its task."""
    for _, _, line in located(files[0], lambda: None):
        try:
            rollout = decode(line)
            return [*rollout, *rollout.get("palestra", {}).get("task", {})]
        except (ValueError, AttributeError, TypeError):
            continue
    return []


def print_columns(columns: Columns) -> None:
    for name, agent in sorted(columns.agents.items()):
        tasks = sum(1 for _ in agent.groups())
        print(f"{name}: {len(agent.tasks)} rollouts of {tasks} tasks")
        print_table(HEADER, metric_rows(agent_entry(name, agent)["agent_metrics"]))
        print()
