"""`palestra data split`."""

import argparse
from itertools import islice
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.core.errors import PalestraError
from palestra.data.lineage import record_derivation
from palestra.data.split import Leak, leaks, parts_of, split

SUMMARY = "rows into parts that share no task, and a check that they do not"
DESCRIPTION = """Split rows into parts, by a seed and the hash of their prompt; then check that no task is in two parts.

Rows with the same prompt up to case, spacing and punctuation stay together, or with --by those with the same value of
a field. With --check, files that were split before are only checked.

exit codes: 0 done, no row leaks; 1 a row of one part is in another one as well; 2 it could not start."""
EXAMPLE = "palestra data split tasks.jsonl --parts train=0.9,validation=0.1 --output tasks"
MOST_TOLD = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="DATA", help="one file to split; with --check several")
    parts = "shares (0.9), counts (200) and at most one rest, by name"
    parser.add_argument("--parts", metavar="PARTS", help=parts)
    parser.add_argument("--output", type=Path, metavar="DIR", help="the folder of the parts")
    parser.add_argument("--by", metavar="FIELD", help="keep rows with the same value of this field together")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="decides the parts")
    parser.add_argument("--check", action="store_true", help="only check whether the files share tasks")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.check:
        return report({}, arguments.files, as_json=arguments.json)
    if len(arguments.files) != 1 or arguments.parts is None or arguments.output is None:
        fix = "Name one file with --parts and --output, or several with --check."
        raise PalestraError("usage", "a split needs one file, --parts and --output", fix=fix)
    (path,) = arguments.files
    parts = parts_of(arguments.parts)
    outputs = [arguments.output / f"{name}.jsonl" for name in parts]
    if taken := [output for output in outputs if output.exists() and output.samefile(path)]:
        raise PalestraError("usage", f"the part {taken[0]} is the input", fix="Name another folder.")
    counts = split(path, arguments.output, parts, seed=arguments.seed, by=arguments.by)
    for output in outputs:
        config = {"parts": parts, "seed": arguments.seed, "by": arguments.by, "part": output.stem}
        record_derivation(output, [path], "split", config)
    return report(counts, outputs, as_json=arguments.json)


def report(counts: dict[str, tuple[int, int]], files: list[Path], *, as_json: bool) -> int:
    found = leaks(files)
    told = list(islice(found, MOST_TOLD))
    total = len(told) + sum(1 for _ in found)
    if as_json:
        rows = {name: {"asked": asked, "rows": got} for name, (asked, got) in counts.items()}
        print_json({"parts": rows, "leaks": total, "examples": [leak.to_json() for leak in told]})
        return int(total > 0)
    for name, (asked, got) in counts.items():
        print(f"{name}: {got} rows" + ("" if got == asked else f", {asked} were asked for (groups stay together)"))
    print_leaks(told, total)
    return int(total > 0)


def print_leaks(told: list[Leak], total: int) -> None:
    for leak in told:
        print(f"{leak.file}:{leak.line} is {leak.other_file}:{leak.other_line} as well ({leak.match} match)")
    if total > len(told):
        print(f"and {total - len(told)} more")
    if total:
        print("what to do: split again without --by, or by a field that holds what may not be in two parts")
    else:
        print("no task is in two parts")
