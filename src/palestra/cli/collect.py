"""Collect verified rollouts from a model.

Each rollout is one line of OUTPUT, written when it is safe on disk; rollouts that broke go to
<OUTPUT stem>_failures.jsonl with the reason, never into OUTPUT as a reward of 0. An existing OUTPUT is never deleted
or mixed: continue it with --resume or start beside it with --fork.

exit codes: 0 done; 1 too many rollouts failed, or the run was cut short; 2 it could not start; 130 and 143 after
SIGINT and SIGTERM (what was acknowledged is stored, --resume continues)."""

import argparse
from pathlib import Path

from palestra.cli.event_loop import run_busy
from palestra.cli.metrics_table import HEADER, metric_rows
from palestra.cli.options import (
    Group,
    add_environment_options,
    add_json_option,
    add_role_options,
    add_sandbox_option,
    read_options,
    read_sampling,
    validated,
)
from palestra.cli.output import print_json, print_table, remark
from palestra.collection.collect import Report, collect
from palestra.collection.config import CollectConfig, ModelChoice
from palestra.collection.models import read_roles
from palestra.collection.progress import duration
from palestra.core.discovery import find

EXAMPLE = "palestra collect word_problems,mcqa --model embedded --limit 16 --repeats 4 --output rollouts.jsonl"

SAMPLING = ("temperature", "top_p", "max_output_tokens")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environments", metavar="ENV[,ENV...]", help="names, folders or module:Class")
    parser.add_argument("--output", type=Path, required=True, metavar="F", help="the rollouts, as JSONL")
    add_model_arguments(parser.add_argument_group("model"))
    add_task_arguments(parser.add_argument_group("tasks"))
    add_agent_arguments(parser.add_argument_group("sampling and agent"))
    add_run_arguments(parser.add_argument_group("run"))
    add_json_option(parser)


def add_model_arguments(group: Group) -> None:
    models = "openai:NAME, vllm:NAME, embedded, scripted:F or replay:F"
    group.add_argument("--model", required=True, metavar="M", help=models)
    group.add_argument("--base-url", metavar="URL", help="of an OpenAI-compatible endpoint, usually ending in /v1")
    group.add_argument("--api", choices=("auto", "responses", "chat"), default="auto", help="which API it speaks")
    variable = "environment variable that holds the API key"
    group.add_argument("--api-key-env", default="OPENAI_API_KEY", metavar="NAME", help=variable)
    add_role_options(group)
    group.add_argument("--call-timeout-s", type=float, default=600.0, metavar="S", help="a model call fails after this")
    group.add_argument("--max-tries", type=int, default=5, metavar="N", help="tries of one model call")


def add_task_arguments(group: Group) -> None:
    group.add_argument("--input", type=Path, metavar="F", help="rows to play instead of the environments' own tasks")
    group.add_argument("--split", metavar="S", help="a split of the environments' own tasks, such as example")
    group.add_argument("--generate", type=int, metavar="N", help="N tasks from each environment's generator")
    group.add_argument(
        "--limit", type=int, metavar="N", help="only the first N rows, of the input or of each environment"
    )
    group.add_argument("--repeats", type=int, default=1, metavar="K", help="rollouts of each task")
    group.add_argument("--seed", type=int, default=0, metavar="S", help="decides generation, environments and sampling")
    group.add_argument("--host-url", metavar="URL", help="a NeMo Gym resources server that runs the environment")
    add_sandbox_option(group)
    add_environment_options(group)


def add_agent_arguments(group: Group) -> None:
    for name, metavar in zip(SAMPLING, ("T", "P", "N"), strict=True):
        flag = f"--{name.replace('_', '-')}"
        meaning = "overrides the rows; repeatable with ENV="
        group.add_argument(flag, action="append", metavar=f"[ENV=]{metavar}", help=meaning)
    names = "tool_loop (NeMo Gym's simple_agent), latest_state_loop or mini_swe_agent, instead of the environment's"
    group.add_argument("--agent", metavar="NAME", help=names)
    group.add_argument("--max-steps", type=int, default=100, metavar="N", help="model calls in one rollout")
    group.add_argument("--max-rollout-tokens", type=int, metavar="N", help="tokens the model may write in one rollout")
    group.add_argument("--time-limit-s", type=float, metavar="S", help="a rollout is judged as it is after this")


def add_run_arguments(group: Group) -> None:
    group.add_argument("--concurrency", default="64", metavar="N|auto", help="rollouts at work at the same time")
    group.add_argument(
        "--rollout-timeout-s",
        type=float,
        default=1800.0,
        metavar="S",
        help="a rollout fails after this, pauses of its endpoint not counted",
    )
    group.add_argument(
        "--endpoint-patience-s",
        type=float,
        default=600.0,
        metavar="S",
        help="the run stops when an endpoint answers nothing for so long; until then it waits, and no rollout fails",
    )
    group.add_argument("--run-timeout-s", type=float, metavar="S", help="the run stops cleanly after this")
    waits = "wait so long for a disk that is full or fails, then end the run"
    group.add_argument("--disk-patience-s", type=float, default=3600.0, metavar="S", help=waits)
    group.add_argument("--attempts", type=int, default=3, metavar="N", help="tries of one rollout, over all resumes")
    group.add_argument(
        "--max-failure-rate", type=float, default=0.1, metavar="R", help="exit 1 if a larger share fails"
    )
    group.add_argument("--resume", action="store_true", help="continue OUTPUT where it stopped")
    group.add_argument("--fork", action="store_true", help="leave an existing OUTPUT alone and write beside it")


def execute(arguments: argparse.Namespace) -> int:
    report = run_busy(collect(read_config(arguments), show=remark))
    if arguments.json:
        print_json(report.to_json())
    else:
        print_report(report)
    return report.exit_code


def read_config(arguments: argparse.Namespace) -> CollectConfig:
    environments = [spec for spec in arguments.environments.split(",") if spec]
    names = [find(spec).name for spec in environments]
    copied = (
        "output", "input", "split", "generate", "limit", "repeats", "seed", "agent", "max_steps", "max_rollout_tokens",
        "time_limit_s", "rollout_timeout_s", "endpoint_patience_s", "disk_patience_s", "run_timeout_s", "host_url",
        "attempts", "max_failure_rate", "resume", "fork", "sandbox",
    )  # fmt: skip
    auto = arguments.concurrency == "auto"
    return validated(
        CollectConfig,
        {
            **{name: getattr(arguments, name) for name in copied},
            "environments": environments,
            "concurrency": "auto" if auto else arguments.concurrency,
            "model": validated(ModelChoice, model_values(arguments)),
            "roles": read_roles(arguments.role, arguments.role_option),
            "options": read_options(arguments.option, names),
            "sampling": read_sampling(arguments, SAMPLING),
        },
    )


def model_values(arguments: argparse.Namespace) -> dict[str, object]:
    names = ("base_url", "api", "api_key_env", "call_timeout_s", "max_tries")
    return {"spec": arguments.model, **{name: getattr(arguments, name) for name in names}}


def print_report(report: Report) -> None:
    failed = sum(report.failures.values())
    print(f"\n{report.judged} rollouts judged, {failed} failed, in {duration(report.elapsed_s)}")
    print(f"{report.stored} stored in {report.paths.rollouts}")
    for entry in report.metrics:
        print(f"\n{entry['agent_ref']['name']}")
        print_table(HEADER, metric_rows(entry["agent_metrics"]))
    for code, count in sorted(report.failures.items()):
        print(f"\n{count} failed with {code}; see {report.paths.failures}")
    if report.given_up:
        print(f"\n{report.given_up} rollouts failed in every attempt and are not tried again (--attempts)")
    if report.stop_reason:
        print(f"\nthe run did not finish: {report.stop_reason}; continue it with --resume")
    elif report.exit_code:
        print(f"\n{report.failure_rate:.0%} failed, more than --max-failure-rate {report.max_failure_rate:.0%} allows")
