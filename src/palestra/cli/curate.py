"""Make a dataset from rollouts: filter, balance, order and sample rows, with a report of what each rule dropped.

Rows are copied byte for byte into --output; the input is only ever read. What is read of it is kept in an index beside
it, so that the next time is quick. Without --output nothing is written but the report.

exit codes: 0 done; 1 no row is left, or the output cannot be written; 2 it could not start."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json, print_table
from palestra.core.errors import PalestraError
from palestra.data.extra import data_packages
from palestra.data.lineage import record_derivation
from palestra.store.paths import replacing
from palestra.wire.encoding import encode

if TYPE_CHECKING:
    from palestra.data.curate.pipeline import Curated, Pipeline

EXAMPLE = "palestra curate --where 'reward >= 0.5 and tool_errors == 0' --input rollouts.jsonl --output good.jsonl"
SHOWN_PROBLEMS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", type=Path, nargs="?", metavar="PIPELINE", help="a pipeline file (TOML)")
    where = "keep the rows that an expression holds for; repeatable; behind the pipeline's stages if there is one"
    parser.add_argument("--where", action="append", default=[], metavar="EXPR", help=where)
    parser.add_argument("--input", type=Path, nargs="+", required=True, metavar="F", help="rollout or task files")
    parser.add_argument("--output", type=Path, metavar="OUT", help="the rows that are left, as JSONL")
    parser.add_argument("--report", type=Path, metavar="OUT", help="write what happened as JSON")
    review = "write the rows that are left for reviewers, with label, score and note to fill in"
    parser.add_argument("--review", type=Path, metavar="OUT", help=review)
    parser.add_argument("--index", type=Path, metavar="DIR", help="a folder for indexes; beside the inputs otherwise")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    outputs = [path for path in (arguments.output, arguments.report, arguments.review) if path is not None]
    for path in outputs:
        require_free(path, arguments)
    with data_packages():
        from palestra.data.curate.annotations import write_review
        from palestra.data.curate.pipeline import curate
        from palestra.data.rows import Rows
    pipeline = pipeline_of(arguments)
    rows = Rows.open(arguments.input, index=arguments.index)
    for problem in rows.problems[:SHOWN_PROBLEMS]:
        print(f"palestra: not a row: {problem}", file=sys.stderr)
    if rows.bad_lines > SHOWN_PROBLEMS:
        print(f"palestra: {rows.bad_lines} lines in all are no rows", file=sys.stderr)
    found = curate(rows, pipeline)
    report = found.report()
    if arguments.output is not None:
        report["bytes"] = found.write(arguments.output)
        sources = [*arguments.input, *pipeline.files()]
        for part, output in enumerate(found.outputs(arguments.output)):
            record_derivation(output, sources, "curate", {**pipeline.settings(), "round": part or None})
    if arguments.review is not None:
        report["review"] = write_review(rows, map(int, found.kept), arguments.review)
    if arguments.report is not None:
        with replacing(arguments.report) as file:
            file.write(encode(report))
    if arguments.json:
        print_json(report)
    else:
        print_stages(found)
    return 0 if len(found.kept) else 1


def require_free(path: Path, arguments: argparse.Namespace) -> None:
    """Nothing that exists is replaced unasked, and nothing that is read ever."""
    if path.exists() and any(source.exists() and path.samefile(source) for source in arguments.input):
        raise PalestraError("usage", f"{path} is read and cannot be written too", fix="Name another file.")
    if path.exists() and not arguments.overwrite:
        raise PalestraError("usage", f"{path} exists", fix="Replace it with --overwrite, or name another file.")
    if not path.parent.is_dir():
        raise PalestraError("usage", f"there is no folder {path.parent}", fix="Make it, or name another file.")


def pipeline_of(arguments: argparse.Namespace) -> "Pipeline":
    from palestra.data.curate.filters import Filter
    from palestra.data.curate.pipeline import Pipeline

    if arguments.pipeline is None and not arguments.where:
        raise PalestraError("usage", "nothing says what to keep", fix="Name a pipeline file, or give --where.")
    given = Pipeline.of_file(arguments.pipeline) if arguments.pipeline is not None else Pipeline(())
    more = [Filter(where=arguments.where, name="where")] if arguments.where else []
    return Pipeline([*given.stages, *more], given.seed, given.name, given.folder)


def print_stages(found: "Curated") -> None:
    lines: list[tuple[Any, ...]] = [("input", "", len(found.rows), "", "")]
    for stage in found.stages:
        gone = stage.rows_before - stage.rows_after
        lines.append((stage.stage, "", stage.rows_after, gone, "cached" if stage.cached else ""))
        lines += [("", rule.rule, "", rule.rows, f"{rule.alone} alone") for rule in stage.dropped if rule.alone]
    print_table(("stage", "rule", "rows", "dropped", ""), lines)
    for stage in found.stages:
        for rule in stage.dropped:
            for example in rule.examples[:1]:
                print(f"dropped by {rule.rule}: {example}")
