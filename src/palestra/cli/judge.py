"""Measure a judge model on answers whose labels are known: `palestra judge calibrate LABELS`.

LABELS holds lines of {"question": ..., "expected_answer": ..., "answer": ..., "label": 0 or 1}. The judge is asked
about each in both orders, with the template and options of --env. Told are agreement and Cohen's kappa with 95 %
intervals, false passes and false fails, position bias, length bias, how well the share of votes predicts the label, and
what 1,000 verdicts cost. Rows without a verdict are failures, counted apart.

exit codes: 0 done; 1 no row got a verdict; 2 it could not start."""

import argparse
import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from palestra.cli.options import add_environment_options, add_json_option, add_role_options, read_options
from palestra.cli.output import print_json, print_table
from palestra.collection.calibration import calibrate, labelled_rows
from palestra.collection.calibration_page import facts, page
from palestra.collection.endpoints import Endpoints
from palestra.collection.models import open_roles, read_roles, require_roles
from palestra.core.discovery import find
from palestra.core.errors import PalestraError, suggestion
from palestra.store.paths import replacing

EXAMPLE = (
    "palestra judge calibrate labels.jsonl --model openai:gpt-4.1-mini@https://api.openai.com/v1 --page judge.html"
)

ACTIONS = ("calibrate",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", metavar="calibrate", help="what is done")
    parser.add_argument("labels", type=Path, metavar="LABELS", help="answers with their labels, as JSONL")
    parser.add_argument("--model", default="embedded", metavar="MODEL[@URL]", help="the model in the role `judge`")
    add_role_options(parser)
    environment = "the environment whose judge it is: its template and its options"
    parser.add_argument("--env", default="equivalence_llm_judge", metavar="ENV", help=environment)
    add_environment_options(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="decides tags and sampling")
    read, written = "price of a million tokens that the judge reads", "price of a million tokens that it writes"
    parser.add_argument("--input-price", type=float, default=None, metavar="PRICE", help=read)
    parser.add_argument("--output-price", type=float, default=None, metavar="PRICE", help=written)
    parser.add_argument("--page", type=Path, metavar="PAGE", help="write an HTML page that needs no other file")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    if arguments.action not in ACTIONS:
        hint = suggestion(arguments.action, ACTIONS)
        raise PalestraError("usage", f"there is no `palestra judge {arguments.action}`.{hint}")
    if (arguments.input_price is None) != (arguments.output_price is None):
        raise PalestraError("usage", "one price alone is no cost", fix="Give both --input-price and --output-price.")
    report = asyncio.run(measured(arguments))
    if arguments.page is not None:
        with replacing(arguments.page) as file:
            file.write(page(report).encode("utf-8", "replace"))
    if arguments.json:
        print_json(report)
    else:
        print_table(("measure", "value", "95 % interval"), facts(report))
    return 0 if report["judged"] else 1


async def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    source = find(arguments.env)
    values = read_options(arguments.option, [source.name])
    options = source.options({**values.get("*", {}), **values.get(source.name, {})})
    rows = labelled_rows(arguments.labels)
    choices = read_roles([f"judge={arguments.model}", *arguments.role], arguments.role_option)
    require_roles(source, options, choices)
    async with AsyncExitStack() as stack:
        roles = await open_roles(choices, Endpoints(), stack)
        found = await calibrate(source, options, rows, roles, arguments.seed)
    if arguments.input_price is not None:
        found.prices = (arguments.input_price, arguments.output_price)
    models = {role: choice.spec for role, choice in choices.items()}
    return {"environment": source.name, "models": models, "options": options.model_dump(mode="json"), **found.to_json()}
