"""reference/cli.md, from the parsers of the commands."""

import argparse
import importlib
import inspect
from collections.abc import Iterator
from types import MappingProxyType

from generation.tables import anchored, default_text, slug, table
from palestra.cli.main import VERBS

EXAMPLES = MappingProxyType(
    {
        # By option where the placeholder does not decide, else by placeholder.
        "--base-url": "http://127.0.0.1:8000/v1",
        "--endpoint-patience-s": "120",
        "--host-url": "http://127.0.0.1:12000",
        "--max-steps": "20",
        "--max-tries": "3",
        "--port": "8000",
        "--run-timeout-s": "3600",
        "--rollout-timeout-s": "600",
        "--task": "3",
        "--rollouts-per-task": "4",
        "--pairs-per-task": "2",
        "--check": "-1",
        "--min-gap": "0.5",
        "FORMAT": "sft",
        "format": "sft",
        "TARGET": "trl",
        "DIR": "sft",
        "SHARE": "0.1",
        "TOKENIZER": "my_tokenizer",
        "inline|field|drop": "field",
        "--temperature": "0.7",
        "--top-p": "0.95",
        "--max-output-tokens": "word_problems=64",
        "--n": "10000",
        "--input": "tasks.jsonl",
        "--seed": "7",
        "--split": "example",
        "DATA": "tasks.jsonl",
        "BYTES": "1000000",
        "TABLE": "raw.csv",
        "MAPPING": "mapping.toml",
        "DATASETS": "datasets.toml",
        "PARTS": "train=0.9,validation=0.1",
        "A": "tasks_1.jsonl",
        "B": "tasks_2.jsonl",
        "DATASET": "sums",
        "LICENCE": "MIT",
        "TEXT": "hub",
        "KEY=VALUE": "level=3",
        "OWNER/REPO": "my_org/sums",
        "COMMIT": "main",
        "VERSION": "1.0.0",
        "URL": "https://gitlab.example.com/api/v4/projects/7/ml/mlflow",
        "PATH": "train.jsonl",
        "--show": "20",
        "ENV": "mcqa",
        "ENV[,ENV...]": "mcqa,word_problems",
        "ENV|F": "mcqa",
        "F": "rollouts.jsonl",
        "FOLDER": "letter_count",
        "FIELD": "extracted_answer",
        "--subset-by": "difficulty",
        "H": "127.0.0.1",
        "--max-requests": "256",
        "--ttl-s": "600",
        "CIDR": "10.1.0.0/16",
        "--max-episodes": "5000",
        "ENV[,ENV]|model": "mcqa,calendar",
        "--request-timeout-s": "60",
        "TASKS": "tasks.jsonl",
        "OUT": "profile.jsonl",
        "M": "embedded",
        "MODEL": "embedded",
        "N": "16",
        "K": "4",
        "P": "0.95",
        "S": "60",
        "STEP": "clip=-2,2",
        "VERIFIER": "word_problems",
        "R": "0.05",
        "NAME": "MY_API_KEY",
        "--agent": "tool_loop",
        "N|auto": "auto",
        "ROLE=MODEL@URL": "judge=openai:gpt-4.1-mini@https://api.openai.com/v1",
        "CORPUS": "hostile.jsonl",
        "LABELS": "labels.jsonl",
        "calibrate": "calibrate",
        "PAGE": "calibration.html",
        "MODEL[@URL]": "openai:gpt-4.1-mini@https://api.openai.com/v1",
        "PRICE": "0.4",
        "ROLE.KEY=VALUE": "judge.api_key_env=JUDGE_API_KEY",
        "PIPELINE": "sft.toml",
        "EXPR": "'reward >= 0.5'",
        "--index": "indexes",
        "FILE": "tokenizer.json",
        "[ENV.]KEY=VALUE": "mcqa.grading_mode=lenient_boxed",
    }
)


def cli_page() -> str:
    lines = [
        "# Command line",
        "",
        "`palestra COMMAND --help` says the same in a terminal and ends with an example. Each option can be linked to,",
        "as `cli.md#COMMAND-OPTION`. The settings of a run as Python objects are in",
        "[Configuration options](configuration-options.md), codes of errors in [Errors](errors.md); a first run is the",
        "[Quickstart](../get-started/quickstart.md).",
        "",
        *table(("command", "for"), ((f"[`palestra {verb}`](#palestra-{verb})", text) for verb, text in VERBS.items())),
        "",
    ]
    for verb in VERBS:
        module = importlib.import_module(f"palestra.cli.{verb}")
        parser = argparse.ArgumentParser(prog=f"palestra {verb}", description=module.__doc__, allow_abbrev=False)
        module.add_arguments(parser)
        lines += section(verb, parser, inspect.cleandoc(module.__doc__ or ""), module.EXAMPLE)
    return "\n".join(lines).rstrip() + "\n"


def section(words: str, parser: argparse.ArgumentParser, description: str, example: str | None) -> Iterator[str]:
    """A command, and after it the commands below it."""
    # Placeholders in angle brackets would be read as HTML.
    yield from (f"## palestra {words}", "", description.replace("<", "\\<"), "")
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    options = [
        action for action in parser._actions if action not in below and not isinstance(action, argparse._HelpAction)
    ]
    rows = (
        (anchored(name_of(action), anchor(words, action)), action.help or "", type_of(action), default_of(action),
         f"`{example_of(action)}`")
        for action in options
    )  # fmt: skip
    if options:
        yield from table(("option", "meaning", "type", "default", "example"), rows)
    if example:
        yield from ("", f"Example: `{example}`", "")
    for action in below:
        for name, parser_below in action.choices.items():
            example_below = (parser_below.epilog or "").removeprefix("example:").strip()
            yield from section(f"{words} {name}", parser_below, parser_below.description or "", example_below)


def name_of(action: argparse.Action) -> str:
    return action.option_strings[-1] if action.option_strings else placeholder(action)


def placeholder(action: argparse.Action) -> str:
    return str(action.metavar or action.dest.upper())


def anchor(words: str, action: argparse.Action) -> str:
    return f"{slug(words)}-{slug(action.option_strings[-1] if action.option_strings else action.dest)}"


def type_of(action: argparse.Action) -> str:
    if action.choices is not None:
        return " or ".join(f"`{choice}`" for choice in action.choices)
    if action.nargs == 0:
        return "flag"
    names = {int: "integer", float: "number"}
    kind = names.get(action.type, getattr(action.type, "__name__", "text").lower())
    repeats = (
        " (repeatable)" if isinstance(action, argparse._AppendAction) else " (one or more)" * (action.nargs == "+")
    )
    return kind + repeats


def default_of(action: argparse.Action) -> str:
    if not action.option_strings or action.required:
        return "required"
    return "off" if action.nargs == 0 else default_text(action.default)


def example_of(action: argparse.Action) -> str:
    """How the option is written; its value is one that its own type accepts. Raises KeyError if there is none."""
    flag = action.option_strings[-1] if action.option_strings else ""
    if action.nargs == 0:
        return flag
    if action.choices is not None:
        value = next((choice for choice in action.choices if choice != action.default), action.default)
    else:
        value = EXAMPLES[flag if flag in EXAMPLES else placeholder(action)]
        if action.type is not None:
            action.type(value)
    return f"{flag} {value}".strip()
