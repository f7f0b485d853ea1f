"""`palestra data decontaminate`."""

import argparse
from pathlib import Path

import numpy as np

from palestra.cli.options import add_json_option, validated
from palestra.cli.output import print_json
from palestra.core.errors import PalestraError
from palestra.data.contamination import MIN_OVERLAP
from palestra.data.extra import data_packages
from palestra.data.lineage import record_derivation
from palestra.store.paths import replacing

SUMMARY = "rows that hold questions of a benchmark, and a file without them"
DESCRIPTION = """Find rows that hold questions of a benchmark: the same words in the same order, whatever case,
punctuation and blanks, alone or in a longer text, or at least --min-overlap of a question's runs of 13 words.

exit codes: 0 nothing was found, or --output has the rows without it; 1 something was found; 2 it could not start."""
EXAMPLE = "palestra data decontaminate --against benchmark.jsonl --input rollouts.jsonl --output clean.jsonl"
SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    questions = "JSONL files with the questions that must not occur"
    parser.add_argument("--against", type=Path, nargs="+", required=True, metavar="F", help=questions)
    parser.add_argument(
        "--input", type=Path, nargs="+", required=True, metavar="F", help="rollouts, tasks or other rows"
    )
    parser.add_argument("--output", type=Path, metavar="OUT", help="the rows that hold none, byte for byte")
    parser.add_argument("--field", metavar="FIELD", help="the questions' field; question, problem, prompt... otherwise")
    share = "the least share of a question's runs of 13 words that counts"
    parser.add_argument("--min-overlap", type=float, default=MIN_OVERLAP, metavar="SHARE", help=share)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    with data_packages():
        from palestra.data.curate.decontaminate import Decontaminate
        from palestra.data.rows import Rows
    if arguments.output is not None and arguments.output.exists():
        raise PalestraError("output-exists", f"{arguments.output} exists already", fix="Name another file.")
    settings = {"against": arguments.against, "field": arguments.field, "min_overlap": arguments.min_overlap}
    stage = validated(Decontaminate, settings)
    rows = Rows.open(arguments.input)
    found = stage.matches(rows, np.arange(len(rows)), Path())
    matches = [match.to_json() for row in sorted(found) for match in found[row]]
    report = {"rows": len(rows), "contaminated": len(found), "bad_lines": rows.bad_lines, "matches": matches}
    if arguments.output is not None:
        with replacing(arguments.output) as file:
            rows.copy((row for row in range(len(rows)) if row not in found), file)
        inputs = [*arguments.input, *arguments.against]
        record_derivation(arguments.output, inputs, "decontaminate", stage.model_dump(mode="json", exclude={"against"}))
    if arguments.json:
        print_json(report)
    else:
        print(f"{len(found)} of {len(rows)} rows hold a question of the benchmark")
        for match in matches[:SHOWN]:
            print(f"  {match['row']} holds {match['question']} ({match['kind']}, {match['overlap']:.0%})")
            print(f"    row:      {match['row_text'][:100]!r}")
            print(f"    question: {match['question_text'][:100]!r}")
    return int(bool(found) and arguments.output is None)
