"""reference/nemo-gym-commands.md, and the tables of NeMo Gym's configuration, from the models they are read with."""

import inspect
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from generation.tables import (
    anchored,
    attribute_docstrings,
    default_text,
    fields_of,
    slug,
    table,
    type_text,
    value_text,
)
from palestra.cli.gym.command import GymParameters, keys_of
from palestra.cli.gym.main import module_of
from palestra.cli.gym.registry import COMMANDS
from palestra.cli.gym.unified import shown
from palestra.cli.gym.verbs import VERBS, Flag
from palestra.compat.config import Sources, read_values
from palestra.compat.datasets import DatasetEntry
from palestra.compat.instances import ServerEntry
from palestra.compat.keys import SERVER_KEYS, WITHOUT_EFFECT, GlobalKeys
from palestra.compat.overrides import read_override

HEADER = ("key", "meaning", "type", "default", "example")
LAYERS = (
    "a file that another includes", "a file of `config_paths`", "a later one", "`env.yaml`", "what code gives",
    "a word of the command",
)  # fmt: skip


def key_table(model: type[BaseModel], prefix: str) -> list[str]:
    """One row a key. Raises KeyError if a key has no description or no example."""
    texts = attribute_docstrings(model)
    rows = (
        (
            anchored(name, f"{prefix}-{slug(name)}"),
            texts[name],
            type_text(annotation),
            default_text(default),
            value_text((model.model_fields[name].examples or [])[0]),
        )
        for name, (annotation, default) in fields_of(model).items()
    )
    return table(HEADER, rows)


def gym_parts() -> dict[str, list[str]]:
    """The tables of reference/configuration-options.md."""
    return {
        "gym_keys": key_table(GlobalKeys, "gym"),
        "gym_server": key_table(ServerEntry, "gym-server"),
        "gym_dataset": key_table(DatasetEntry, "gym-dataset"),
        "gym_server_keys": [", ".join(f"`{name}`" for name in sorted(SERVER_KEYS)) + "."],
        "gym_without_effect": table(
            ("key", "why nothing changes"),
            ((anchored(name, f"gym-{slug(name)}"), why) for name, why in WITHOUT_EFFECT.items()),
        ),
        "gym_precedence": precedence_table(),
    }


def precedence_table() -> list[str]:
    """Which layer a key is read from when it stands in some of them: found out by reading such files."""
    names = [f"key_{number}" for number in range(len(LAYERS))]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.yaml") for number in range(4)]
        # Key n stands in layer n and in all layers below it.
        for number, path in enumerate(paths):
            includes = f"config_paths: [{paths[0]}]\n" if number == 1 else ""
            path.write_text(includes + "".join(f"{name}: {number}\n" for name in names[number:]))
        word = f"+{names[5]}=5"
        sources = Sources(
            dotenv=paths[3],
            initial={**dict.fromkeys(names[4:], 4), "config_paths": [str(paths[1]), str(paths[2])]},
            overrides=[read_override(word)],
        )
        found = read_values(sources).values
    assert [found[name] for name in names] == list(range(len(LAYERS))), found
    return table(
        ("what a key says in", "comes before what it says in"),
        (
            (LAYERS[number], ", ".join(reversed(LAYERS[:number])) or "nothing else")
            for number in reversed(range(len(LAYERS)))
        ),
    )


def gym_page() -> str:
    lines = [
        "# NeMo Gym's commands",
        "",
        "Each has two scripts, `ng_NAME` and `nemo_gym_NAME`. Words behind them set keys: `+key=value` and",
        "`++key=value` set one, `key=value` changes one that is there, `~key` deletes one. Parameters may stand in",
        "`env.yaml` as well; what else may stand there:",
        "[NeMo Gym's configuration](configuration-options.md#nemo-gyms-configuration). Coming with a project of it:",
        "[Come from NeMo Gym](../how-to/come-from-nemo-gym.md). Palestra's own commands: [Command line](cli.md).",
        "",
        *table(
            ("command", "for"), ((f"[`ng_{name}`](#ng-{slug(name)})", each.summary) for name, each in COMMANDS.items())
        ),
        "",
    ]
    for name in COMMANDS:
        lines += section(name)
    lines += verbs_section()
    return "\n".join(lines).rstrip() + "\n"


def section(name: str) -> Iterator[str]:
    module = module_of(COMMANDS[name])
    # Placeholders in angle brackets would be read as HTML.
    yield from (f"(ng-{slug(name)})=", f"## ng_{name}", "", inspect.cleandoc(module.__doc__).replace("<", "\\<"), "")
    rows = list(parameter_rows(name, module.Parameters))
    if rows:
        yield from (*table(("parameter", "meaning", "type", "default"), rows), "")
    yield from (f"Example: `{module.EXAMPLE}`", "")


def parameter_rows(name: str, model: type[GymParameters]) -> Iterator[tuple[str, ...]]:
    for key, field in zip(keys_of(model), model.model_fields.values(), strict=True):
        if not field.description:
            raise KeyError(f"{name}.{key} has no description")
        default = "required" if field.is_required() else default_text(field.get_default())
        yield anchored(key, f"ng-{slug(name)}-{slug(key)}"), field.description, type_text(field.annotation), default


def verbs_section() -> Iterator[str]:
    yield from (
        "## gym and ng: the same as verbs",
        "",
        "Flags are written as words: `gym env resolve --model-url URL` is `ng_dump_config ++policy_base_url=URL`.",
        "Words are passed on as they are. A NAME of `--resources-server`, `--environment`, `--benchmark` or",
        "`--model-type` stands for its configuration in `config_paths`; `NAME/FLAVOUR` for another file of it.",
        "`gym list KIND` and `gym search TEXT` say what there is.",
        "",
    )
    there = {name: verb for name, verb in VERBS.items() if verb.command in COMMANDS}
    rows = (
        (
            f"`gym {shown(name)}`",
            f"[`ng_{verb.command}`](#ng-{slug(verb.command)})",
            ", ".join(map(flag_text, verb.flags)),
        )
        for name, verb in there.items()
    )
    yield from table(("verb", "command", "flags"), ((verb, command, flags or "none") for verb, command, flags in rows))


def flag_text(flag: Flag) -> str:
    key = {"root": "where paths start"}.get(flag.kind, flag.key or "config_paths")
    return f"{' '.join(f'`{name}`' for name in flag.names)} ({key})"
