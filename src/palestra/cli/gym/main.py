"""The entry of NeMo Gym's commands: `ng_NAME` and `nemo_gym_NAME` with `+key=value` words."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from palestra.cli.gym.registry import COMMANDS, PREFIXES, Command
from palestra.cli.main import exit_code
from palestra.core.errors import PalestraError, suggestion

ASKS_HELP = ("-h", "--help")


def run() -> None:
    """Entry point of all scripts: which command is meant follows from the name of the script."""
    sys.exit(main(Path(sys.argv[0]).name, sys.argv[1:]))


def main(script: str, words: Sequence[str]) -> int:
    """Run one command; the exit code."""
    return exit_code(lambda: dispatch(script, words))


def dispatch(script: str, words: Sequence[str]) -> int:
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
