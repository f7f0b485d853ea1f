"""NeMo Gym's commands, by their own names: `ng_dump_config` and its like, with `+key=value` words after them."""

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from palestra import __version__
from palestra.cli.main import exit_code
from palestra.core.errors import PalestraError
from palestra.core.extras import require

PREFIX = "ng_"
ASKS_HELP = frozenset({"+h=true", "+help=true", "-h", "--help"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key that a command reads beside those of the configuration."""

    name: str
    type: str
    meaning: str
    default: str | None = None
    """None if it must be given."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it does with the words behind it."""

    summary: str
    work: Callable[[Sequence[str]], int]
    parameters: tuple[Parameter, ...] = ()


def run(name: str) -> None:
    """Entry point of the script `ng_NAME`."""
    sys.exit(exit_code(lambda: dispatched(name, sys.argv[1:])))


def dispatched(name: str, words: Sequence[str]) -> int:
    command = COMMANDS[name]
    if ASKS_HELP.intersection(words):
        print("\n".join(help_of(name, command)))
        return 0
    return command.work(words)


def help_of(name: str, command: Command) -> list[str]:
    lines = [f"{PREFIX}{name}: {command.summary}", "", "parameters, as +name=value:"]
    for parameter in command.parameters:
        default = "required" if parameter.default is None else f"default {parameter.default}"
        lines.append(f"  {parameter.name} ({parameter.type}, {default}): {parameter.meaning}")
    return [*lines, "  every other key sets that key of the configuration"]


def dump(words: Sequence[str]) -> int:
    require("compat", f"{PREFIX}dump_config")
    from palestra.compat.config import Sources, read_config
    from palestra.compat.overrides import read_overrides

    config = read_config(Sources(overrides=read_overrides(words)))
    for remark in config.remarks:
        print(f"mind: {remark}", file=sys.stderr)
    print(config.yaml(), end="")
    return 0


def list_commands(words: Sequence[str]) -> int:
    print("NeMo Gym's commands that Palestra has; each tells its parameters with +h=true:")
    width = max(map(len, COMMANDS)) + len(PREFIX)
    for name, command in COMMANDS.items():
        print(f"  {PREFIX + name:<{width}}  {command.summary}")
    return 0


def tell_version(words: Sequence[str]) -> int:
    found = versions()
    if as_json(words):
        print(json.dumps(found, indent=2))
        return 0
    for name, value in found.items():
        inner = value.items() if isinstance(value, Mapping) else ()
        print(f"{name}: {'' if inner else value}".rstrip())
        for key, entry in inner:
            print(f"  {key}: {entry}")
    return 0


def as_json(words: Sequence[str]) -> bool:
    """Whether `+json=true` is among the words. Raises PalestraError for any other word."""
    for word in words:
        if word not in ("+json=true", "+json=false", "json=true", "json=false"):
            raise PalestraError("usage", f"{PREFIX}version knows +json=true and nothing else, got {word!r}")
    return any(word.endswith("=true") for word in words)


def versions() -> dict[str, object]:
    """What runs here, under the keys of NeMo Gym's command."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "nemo_gym": f"palestra {__version__}",
        "python": platform.python_version(),
        "python_path": sys.executable,
        "installation_path": str(Path(__file__).parents[1]),
        "dependencies": {name: installed(name) for name in ("openai", "ray")},
        "system": {
            "os": f"{platform.system()} {platform.release()}",
            "platform": platform.platform(),
            "architecture": platform.machine(),
            "processor": platform.processor() or "unknown",
            "cpus": os.cpu_count(),
            "memory_gb": round(memory, 2),
        },
    }


def installed(name: str) -> str | None:
    """The version of a package; None if it is not here, which is no lack: nothing needs these two."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "dump_config": Command(
            "the whole configuration as YAML, everything resolved, secrets as ****",
            dump,
            (Parameter("config_paths", "list of paths", "the files, later ones over earlier ones", "none"),),
        ),
        "help": Command("the commands there are", list_commands),
        "version": Command(
            "versions of Palestra, Python and the machine",
            tell_version,
            (Parameter("json", "bool", "print JSON", "false"),),
        ),
    }
)


def dump_config() -> None:
    run("dump_config")


def show_help() -> None:
    run("help")


def version() -> None:
    run("version")
