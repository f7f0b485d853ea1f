"""The entry of NeMo Gym's commands: `ng_NAME` and `nemo_gym_NAME` with `+key=value` words, `gym` with flags."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from palestra.cli.gym.registry import COMMANDS, PREFIXES, Command
from palestra.cli.gym.verbs import VERBS
from palestra.cli.main import exit_code
from palestra.core.errors import PalestraError, suggestion

ASKS_HELP = ("-h", "--help")
UNIFIED = ("gym", "ng")
"""Scripts whose first words are a verb."""


def run() -> None:
    """Entry point of all scripts: which command is meant follows from the name of the script."""
    sys.exit(main(Path(sys.argv[0]).name, sys.argv[1:]))


def main(script: str, words: Sequence[str]) -> int:
    """Run one command; the exit code."""
    return exit_code(lambda: dispatch(script, words))


def dispatch(script: str, words: Sequence[str]) -> int:
    if script in UNIFIED:
        return dispatch_verb(words)
    name = command_name(script)
    command, module = COMMANDS[name], module_of(COMMANDS[name])
    from palestra.cli.gym.command import Call, help_lines, is_set
    from palestra.compat.overrides import read_overrides

    asks_help = any(word in ASKS_HELP for word in words)
    overrides = [] if asks_help else read_overrides(words)
    if asks_help or is_set(overrides, "h") or is_set(overrides, "help"):
        print("\n".join(help_lines(script, command, module)))
        return 0
    return module.execute(Call(script, overrides))


def dispatch_verb(words: Sequence[str]) -> int:
    """Run the command that `gym VERB ...` stands for."""
    from palestra.cli.gym.listing import WORDS, run_listing
    from palestra.cli.gym.unified import overview, translated, verb_of

    if not words or words[0] in (*ASKS_HELP, "help"):
        print(overview())
        return 0
    if words[0] == "--version":
        return dispatch(f"{PREFIXES[0]}version", ["+json=true"] if "--json" in words else [])
    if words[0] in WORDS:
        return run_listing(words)
    if any(word in ASKS_HELP for word in words):
        verb, _ = verb_of([word for word in words if word not in ASKS_HELP])
        return dispatch(f"{PREFIXES[0]}{VERBS[verb].command}", ["-h"])
    command, rest = translated(words)
    return dispatch(f"{PREFIXES[0]}{command}", rest)


def command_name(script: str) -> str:
    """The command of a script. Raises PalestraError with the nearest name."""
    for prefix in PREFIXES:
        if (name := script.removeprefix(prefix)) in COMMANDS:
            return name
    known = [f"{PREFIXES[0]}{name}" for name in COMMANDS]
    message = f"no command is named {script!r}.{suggestion(script, known)}"
    raise PalestraError("usage", message, fix="`ng_help` lists the commands there are.")


def module_of(command: Command) -> Any:
    return importlib.import_module(f"palestra.cli.gym.{command.module}")
