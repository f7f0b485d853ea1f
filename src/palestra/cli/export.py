"""Write a training set from rollouts: chosen by reward, whole conversations with tools and reasoning, checked against a
tokenizer's chat template. Failures, masked samples and answers that were cut off are never examples, wanted or not.

Which format goes to which target, and every field: docs/reference/export-formats.md.

exit codes: 0 written; 1 written, but the chat template changes what would be learned; 2 nothing was written."""

import argparse
import sys
from pathlib import Path

from palestra.cli.options import add_json_option, validated
from palestra.cli.output import print_json
from palestra.collection.chat_templates import EMBEDDED, open_chat_template
from palestra.core.errors import PalestraError
from palestra.data.export.choice import Choice, Dropped
from palestra.data.export.export import ExportConfig, ExportReport, export
from palestra.data.export.layouts import FORMATS, TARGETS, layout_of
from palestra.data.export.roundtrip import FATAL, RoundTrip

EXAMPLE = "palestra export sft --to trl --input rollouts.jsonl --output sft"

CHECKED = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("format", metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--to", metavar="TARGET", default="generic", help=", ".join(TARGETS))
    files = "rollout files; for grpo also task files"
    parser.add_argument("--input", type=Path, nargs="+", required=True, metavar="F", help=files)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new folder")
    add_choice_options(parser.add_argument_group("which rollouts"))
    share = "the share of tasks held back in a validation file"
    parser.add_argument("--validation", type=float, default=0.0, metavar="SHARE", help=share)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another one holds other tasks back")
    tokens = "sft for generic: the exact tokens of each rollout, with masks and log-probabilities"
    parser.add_argument("--tokens", action="store_true", help=tokens)
    template = f"whose chat template the rows are checked against: `{EMBEDDED}`, or a tokenizer's folder"
    parser.add_argument("--tokenizer", default=EMBEDDED, metavar="TOKENIZER", help=template)
    rows = "rollouts that are checked, 0 for none, -1 for all"
    parser.add_argument("--check", type=int, default=CHECKED, metavar="K", help=rows)
    add_json_option(parser)


def add_choice_options(parser: argparse._ArgumentGroup) -> None:
    fields = Choice.model_fields
    least = "the lowest reward that is learned from; for kto, that of a wanted answer"
    parser.add_argument("--min-reward", type=float, default=fields["min_reward"].default, metavar="R", help=least)
    most, default = "kto: the highest reward of an unwanted answer", fields["max_negative_reward"].default
    parser.add_argument("--max-negative-reward", type=float, default=default, metavar="R", help=most)
    gap = "dpo, rm: by how much the chosen reward exceeds the rejected one"
    parser.add_argument("--min-gap", type=float, default=fields["min_gap"].default, metavar="R", help=gap)
    pairs = "dpo, rm: pairs of one task"
    parser.add_argument("--pairs-per-task", type=int, default=1, metavar="K", help=pairs)
    limit = "sft, kto: rollouts of one task, its best; of kto, of either label"
    parser.add_argument("--rollouts-per-task", type=int, metavar="K", help=limit)
    parser.add_argument("--truncated", action="store_true", help="count answers that were cut off as examples")
    where = "inline: `<think>` in the text; field: `reasoning_content`; drop"
    parser.add_argument("--reasoning", default="inline", metavar="inline|field|drop", help=where)


def execute(arguments: argparse.Namespace) -> int:
    layout = layout_of(arguments.format, arguments.to)
    names = ("min_reward", "max_negative_reward", "min_gap", "pairs_per_task", "rollouts_per_task", "truncated")
    chosen = {name: getattr(arguments, name) for name in (*names, "reasoning")}
    values = {
        "format": arguments.format,
        "target": arguments.to,
        "inputs": tuple(arguments.input),
        "output": arguments.output,
        "choice": validated(Choice, chosen),
        "validation": arguments.validation,
        "seed": arguments.seed,
        "tokens": arguments.tokens,
    }
    config = validated(ExportConfig, values)
    if arguments.check < -1:
        raise PalestraError("usage", f"--check must be -1 or more, got {arguments.check}")
    check = None
    if arguments.check and arguments.format != "grpo":
        limit = None if arguments.check < 0 else arguments.check
        check = RoundTrip(open_chat_template(arguments.tokenizer), limit, layout.split_by_turn)
    report = export(config, check)
    if arguments.json:
        print_json(report.to_json())
    else:
        show(report, arguments.output)
    return int(check is not None and not check.is_sound)


def show(report: ExportReport, output: Path) -> None:
    files = ", ".join(f"{output / name} ({count} rows)" for name, count in report.rows.items())
    print(f"{report.examples} examples of {report.read} lines: {files}")
    show_dropped("left out", report.dropped)
    for remark, count in report.remarks.items():
        print(f"mind: {count} examples: {remark}")
    if report.check is not None:
        checked = report.check
        print(f"checked {checked.checked} rollouts against the chat template of {checked.template.name}:", end=" ")
        print("sound" if checked.is_sound else "NOT sound")
        show_dropped("found", checked.findings)
        if not checked.is_sound:
            print(f"{', '.join(FATAL)} change what is learned: use the tokenizer that you train.", file=sys.stderr)


def show_dropped(label: str, dropped: Dropped) -> None:
    for kind, count in dropped.counts.items():
        print(f"  {label}: {count} {kind}, such as {dropped.examples[kind]}")
