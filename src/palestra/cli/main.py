"""The `palestra` command: finds the verb, reads its options, reports errors without a traceback."""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import NoReturn

from palestra import __version__
from palestra.core.errors import PalestraError, suggestion

VERBS = MappingProxyType(
    {
        "list": "the environments there are",
        "show": "one environment (tasks, options, prompt), or one rollout of a file",
        "data": "task rows and datasets: make, check, prepare, split, compare, register, exchange",
        "curate": "filter, balance, order and sample rows of any rollout file",
        "new": "a folder with a new environment that passes its check at once",
        "check": "test an environment: golden cases, determinism, attacks on its verifier",
        "play": "answer a task yourself and see what the verifier says",
        "collect": "collect verified rollouts from a model",
        "verify": "judge stored rollouts again, without any model",
        "shape": "scale, normalise and clip the rewards of finished rollouts",
        "judge": "measure a judge model on answers whose labels are known",
        "fsck": "find damage in a run's files and set it aside",
        "stats": "metrics of rollout files",
        "export": "training sets for TRL, verl, OpenRLHF, NeMo RL, NeMo Customizer or any reader",
        "serve": "environments for NeMo Gym's clients, or a model for those of the OpenAI API",
        "sandbox": "check the boundary around code that models write, with a corpus of attacks",
        "doctor": "what this machine has and lacks, and with --fix what can be mended",
    }
)

USAGE_EXIT_CODE = 2
CUT_SHORT_EXIT_CODE = 1
CUT_SHORT = frozenset({"output-unwritable"})
"""Errors that end a command which had begun."""


class Parser(argparse.ArgumentParser):
    """argparse that suggests the nearest name instead of guessing or only refusing."""

    def error(self, message: str) -> NoReturn:
        command = self.prog.removeprefix("palestra ")
        raise PalestraError("usage", f"{command}: {message}", fix=f"Run `{self.prog} --help`; it ends with an example.")


def run() -> None:
    """Entry point of the `palestra` script."""
    sys.exit(main(sys.argv[1:]))


def main(words: Sequence[str]) -> int:
    """Run one command; the exit code."""
    return exit_code(lambda: dispatch(list(words)))


def exit_code(command: Callable[[], int]) -> int:
    """What a command ends with; its errors are told without a traceback."""
    try:
        return command()
    except PalestraError as error:
        print(f"palestra: {error}", file=sys.stderr)
        return CUT_SHORT_EXIT_CODE if error.code in CUT_SHORT else USAGE_EXIT_CODE
    except KeyboardInterrupt:
        print("palestra: stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        about = f" ({error.filename})" if error.filename else ""
        print(f"palestra: the system refused: {error.strerror}{about}", file=sys.stderr)
        return CUT_SHORT_EXIT_CODE


def dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] == "--version":
        print(f"palestra {__version__}")
        return 0
    verb = words[0]
    if verb not in VERBS:
        known = ", ".join(VERBS)
        raise PalestraError("usage", f"no command is named {verb!r}.{suggestion(verb, VERBS)} There are: {known}.")
    # Only the chosen verb is imported, so that --help stays immediate.
    module = importlib.import_module(f"palestra.cli.{verb}")
    parser = Parser(
        prog=f"palestra {verb}",
        description=module.__doc__,
        epilog=f"example:\n  {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    arguments, unknown = parser.parse_known_args(words[1:])
    if unknown:
        # A command below the verb knows its own options.
        parser = getattr(arguments, "parser", parser)
        options = [option for action in parser._actions for option in action.option_strings]
        hint = suggestion(unknown[0].partition("=")[0], options)
        parser.error(f"unknown argument {unknown[0]!r}.{hint}")
    return module.execute(arguments)


def overview() -> str:
    verbs = "\n".join(f"  {verb:<8} {summary}" for verb, summary in VERBS.items())
    return (
        "usage: palestra COMMAND ...\n\n"
        "Environments, verifiers and rollouts that make training data you can trust.\n\n"
        f"{verbs}\n\n"
        "`palestra COMMAND --help` explains a command and ends with an example.\n"
        "example:\n  palestra collect word_problems --model embedded --repeats 4 --output rollouts.jsonl"
    )
