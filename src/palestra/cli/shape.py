"""Shape the rewards of finished rollouts for a trainer; `raw_reward` keeps what the verifier gave.

Steps are applied in the order in which they are named: scale=FACTOR[,OFFSET], clip=LOWEST,HIGHEST, z_score and min_max
(over the whole file), group (GRPO: among the rollouts of a task) and group_centre (the same, not divided by the
deviation).

exit codes: 0 done; 2 it could not start."""

import argparse
from dataclasses import asdict
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.collection.shape import Shaping, shape_rollouts
from palestra.core.errors import PalestraError
from palestra.grading.shaping import ShapingStep, parse_step

EXAMPLE = "palestra shape rollouts.jsonl --step group --step clip=-2,2 --output shaped.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="F", help="rollouts")
    parser.add_argument("--output", type=Path, required=True, metavar="F", help="write the rollouts here")
    parser.add_argument(
        "--step", action="append", required=True, metavar="STEP", help="a step of the shaping, repeatable, in order"
    )
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    if not arguments.file.is_file():
        raise PalestraError("missing-file", f"no file {arguments.file}")
    if arguments.output.exists():
        raise PalestraError("output-exists", f"{arguments.output} exists already", fix="Name another --output.")
    shaping = shape_rollouts(arguments.file, arguments.output, [step_of(text) for text in arguments.step])
    if arguments.json:
        print_json(asdict(shaping))
    else:
        print_shaping(shaping)
    return 0


def step_of(text: str) -> ShapingStep:
    try:
        return parse_step(text)
    except ValueError as error:
        raise PalestraError("usage", f"--step: {error}") from error


def print_shaping(shaping: Shaping) -> None:
    print(f"{shaping.n} rollouts, {' then '.join(shaping.steps)}")
    for name, spread in (("raw", shaping.raw), ("shaped", shaping.shaped)):
        told = ", ".join(f"{which} {value:.4g}" for which, value in spread.items() if value is not None)
        print(f"  {name}: {told or 'nothing'}")
