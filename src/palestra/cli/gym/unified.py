"""`gym` and `ng`: verbs and flags, written as the words of the command that they stand for."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from palestra.cli.gym.registry import COMMANDS
from palestra.cli.gym.verbs import VERBS, Flag, Verb
from palestra.compat.overrides import written
from palestra.compat.values import typed
from palestra.core.errors import PalestraError, suggestion

PATHS: Mapping[str, Callable[[str, str], str]] = MappingProxyType(
    {
        "benchmark": lambda name, flavour: f"benchmarks/{name}/config.yaml",
        "environment": lambda name, flavour: f"environments/{name}/config.yaml",
        "server": lambda name, flavour: f"resources_servers/{name}/configs/{flavour}.yaml",
        "model": lambda name, flavour: f"responses_api_models/{name}/configs/{flavour}.yaml",
    }
)
"""Where the configuration of a NAME or NAME/FLAVOUR is."""
VARIANTS = MappingProxyType(
    {
        "env test": ("env test all", "env test"),
        "eval run": ("eval run no-serve", "eval run"),
        "dataset upload": ("dataset upload hf", "dataset upload gitlab"),
        "dataset download": ("dataset download hf", "dataset download gitlab"),
    }
)


@dataclass(slots=True)
class Words:
    """The words that a verb is written as."""

    settings: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    roots: list[str] = field(default_factory=list)
    name: str | None = None

    def all(self) -> list[str]:
        files = [written(("config_paths",), self.paths)] if self.paths else []
        return [*files, *self.settings]


def translated(words: Sequence[str]) -> tuple[str, list[str]]:
    """The command that verbs and flags stand for, and its words. Raises PalestraError with the nearest name."""
    name, rest = verb_of(words)
    verb = VERBS[name]
    found = read_flags(name, verb, rest)
    if found.roots:
        # Whatever this process reads from now on starts there.
        before = os.environ.get("NEMO_GYM_EXTRA_ROOTS")
        os.environ["NEMO_GYM_EXTRA_ROOTS"] = os.pathsep.join([*found.roots, *([before] if before else [])])
    if verb.command not in COMMANDS:
        raise PalestraError("usage", f"`{name}` is not there", fix="`gym --help` lists what is.")
    return verb.command, found.all()


def verb_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """The verb, in the variant that its flags choose, and the rest of the words."""
    name, rest = " ".join(words[:2]), list(words[2:])
    if name == "eval run" and "--no-serve" in rest:
        rest.remove("--no-serve")
        return "eval run no-serve", rest
    if name == "env test" and is_without_name(rest):
        return "env test all", rest
    if name in ("dataset upload", "dataset download"):
        storage, rest = storage_of(name, rest)
        return f"{name} {storage}", rest
    if name not in VERBS:
        known = {*(known for known in VERBS if known.count(" ") == 1), *VARIANTS}
        message = f"no verb is named {name!r}.{suggestion(name, known)}"
        raise PalestraError("usage", message, fix="`gym --help` lists the verbs there are.")
    return name, rest


def is_without_name(rest: Sequence[str]) -> bool:
    named = any(word.partition("=")[0] in ("--resources-server", "+entrypoint", "++entrypoint") for word in rest)
    return not named and all(word.startswith("-") or "=" in word for word in rest)


def storage_of(name: str, rest: list[str]) -> tuple[str, list[str]]:
    """Which storage `--storage` names; without it a download by --name is GitLab's, anything else the hub's."""
    for position, word in enumerate(rest):
        flag, equals, value = word.partition("=")
        if flag == "--storage":
            taken = 1 if equals else 2
            storage = value if equals else "".join(rest[position + 1 : position + 2])
            if storage not in ("hf", "gitlab"):
                raise PalestraError("usage", f"--storage must be hf or gitlab, got {storage!r}")
            return storage, rest[:position] + rest[position + taken :]
    by_name = any(word.partition("=")[0] == "--name" for word in rest)
    return ("gitlab" if name == "dataset download" and by_name else "hf"), rest


def read_flags(name: str, verb: Verb, rest: Sequence[str]) -> Words:
    """Raises PalestraError for a flag that is unknown, or has no value."""
    found, waiting = Words(), list(rest)
    flags = {spelling: flag for flag in verb.flags for spelling in flag.names}
    while waiting:
        word = waiting.pop(0)
        spelling, equals, value = word.partition("=")
        if not word.startswith("-"):
            take_word(found, verb, word, name)
        elif spelling not in flags:
            hint = suggestion(spelling, flags)
            there = ", ".join(flags) or "none"
            raise PalestraError("usage", f"`{name}` has no flag {spelling!r}.{hint} It has: {there}.")
        elif flags[spelling].kind == "switch":
            take_flag(found, flags[spelling], "true")
        elif equals:
            take_flag(found, flags[spelling], value)
        elif waiting:
            take_flag(found, flags[spelling], waiting.pop(0))
        else:
            raise PalestraError("usage", f"{spelling} needs a value")
    return found


def take_word(found: Words, verb: Verb, word: str, name: str) -> None:
    """A word without a flag: an override, or the name that the verb is about."""
    if "=" in word or word.startswith(("+", "~")):
        found.settings.append(word)
    elif verb.name_key is None or found.name is not None:
        raise PalestraError("usage", f"`{name}` has no place for {word!r}", fix="Overrides are written KEY=VALUE.")
    else:
        found.name = word
        place = word if "/" in word else verb.name_form.format(word)
        found.settings.append(written((verb.name_key,), place))


def take_flag(found: Words, flag: Flag, value: str) -> None:
    if flag.kind == "root":
        found.roots.append(value)
    elif flag.kind == "config":
        found.paths.append(value)
    elif flag.kind in PATHS:
        name, _, flavour = value.partition("/")
        found.paths.append(PATHS[flag.kind](name, flavour or name))
    else:
        key, _, fixed = flag.key.partition("=")
        found.settings.append(written(key.split("."), meant(key, flag, fixed or value)))


def meant(key: str, flag: Flag, value: str) -> Any:
    """A flag's value as the key holds it."""
    if flag.kind == "switch":
        return typed(value)
    if flag.kind == "number":
        number = typed(value)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise PalestraError("usage", f"{flag.names[0]} must be a number, got {value!r}")
        return number
    if key == "entrypoint" and "/" not in value:
        return f"resources_servers/{value}"
    return value


def overview() -> str:
    """What `gym --help` prints."""
    there = {name: verb for name, verb in VERBS.items() if verb.command in COMMANDS}
    lines = [f"  {shown(name):<34} {verb.summary} (ng_{verb.command})" for name, verb in there.items()]
    return "\n".join(
        [
            "usage: gym VERB ... [FLAG ...] [KEY=VALUE ...]",
            "",
            *lines,
            f"  {'list KIND [TEXT]':<34} what can be named in config_paths: resources-servers, agents, models, ...",
            f"  {'search TEXT':<34} the same, of all kinds",
            "",
            "`gym VERB ... --help` explains the command. KEY=VALUE words are passed on to it as they are.",
            "example:",
            "  gym env resolve --resources-server mcqa --model-type vllm_model --model-url http://127.0.0.1:8000/v1",
        ]
    )


def shown(name: str) -> str:
    """A verb as it is typed."""
    words = {"env test all": "env test", "env test": "env test NAME", "eval run no-serve": "eval run --no-serve"}
    if name.startswith(("dataset upload", "dataset download")):
        verb, storage = name.rsplit(" ", 1)
        return f"{verb} --storage {storage}"
    return words.get(name, name)
