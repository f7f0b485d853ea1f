"""Rows of any task of the reasoning-gym package, by name and difficulty. As a script: prints rows, one a line."""

import contextlib
import enum
import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import count
from random import Random
from types import MappingProxyType
from typing import Any

from palestra.core.errors import PalestraError, suggestion
from palestra.grading.reasoning_tasks import score_of_gold

MIXTURE = "composite"
"""The package's own mixture of tasks; several names in the option `task` do the same."""

BLOCK = 500
"""Some tasks draw all their items at once, so that they depend on how many there are: always this many."""

SCORER_SETTINGS = MappingProxyType(
    {
        "decimal_arithmetic": ("max_num_decimal_places",),
        "polynomial_equations": ("exp_distance_factor", "penalty_missing_factor", "penalty_extra_factor"),
        "puzzle24": ("min_value", "max_value"),
        "time_intervals": ("max_time_difference_seconds", "max_date_difference_days"),
    }
)
"""Settings that a scorer reads; rows carry those that are not the default."""


def factory() -> Any:
    """The package's registry of tasks and curricula."""
    try:
        importlib.import_module("reasoning_gym")
        return importlib.import_module("reasoning_gym.factory")
    except ModuleNotFoundError as error:
        message = f"generating these tasks needs the package {error.name!r}, which is not installed"
        raise PalestraError("missing-package", message, fix='pip install "palestra[reasoning]"') from error


def task_names() -> list[str]:
    return sorted(name for name in factory().DATASETS if name != MIXTURE)


def configurations(task: str, difficulty: int, config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of each task that is asked for, in order.

    "all" are the tasks that have this difficulty. Raises PalestraError naming what there is.
    """
    known = task_names()
    if task == "all":
        return {name: configuration(name, difficulty, config) for name in known if difficulty in levels_of(name)}
    names = [name.strip() for name in task.split(",") if name.strip()]
    for name in names:
        if name not in known:
            listed = ", ".join(known)
            message = (
                f"reasoning_gym has no task {name!r}.{suggestion(name, known)} It has these {len(known)}: {listed}."
            )
            raise PalestraError("invalid-option", message, fix="Name some of them with commas between, or all.")
        if difficulty not in levels_of(name):
            levels = ", ".join(map(str, levels_of(name)))
            raise PalestraError("invalid-option", f"task {name} has no difficulty {difficulty}. It has: {levels}.")
    if not names:
        raise PalestraError("invalid-option", "the option task of reasoning_gym names no task")
    return {name: configuration(name, difficulty, config) for name in names}


def levels_of(name: str) -> list[int]:
    """The levels of a task's curriculum that the task itself accepts; [0] if there are none."""
    if not factory().has_curriculum(name):
        return [0]
    attributes = factory().create_curriculum(name).attributes.values()
    highest = max((len(attribute.levels) for attribute in attributes), default=1) - 1
    return [level for level in range(highest + 1) if is_accepted(of_curriculum(name, level))] or [0]


def of_curriculum(name: str, level: int) -> Any:
    curriculum = factory().create_curriculum(name)
    curriculum.set_global_level(level)
    return curriculum.generate_configuration({})


def is_accepted(configuration: Any) -> bool:
    try:
        validate(configuration)
    except (AssertionError, ValueError):
        return False
    return True


def validate(configuration: Any) -> None:
    """Let a configuration check itself, if it can: it raises AssertionError or ValueError."""
    if hasattr(configuration, "validate"):
        configuration.validate()


def configuration(name: str, difficulty: int, config: Mapping[str, Any]) -> Any:
    """A configuration object of the package. Raises PalestraError if a setting is unknown or refused."""
    _, config_class = factory().DATASETS[name]
    known = {field.name for field in fields(config_class)}
    unknown = sorted(set(config) - known)
    if unknown:
        settings = ", ".join(sorted(known - {"seed", "size"}))
        hint = suggestion(unknown[0], known)
        raise PalestraError("invalid-option", f"task {name} has no setting {unknown[0]!r}.{hint} It has: {settings}.")
    graded = of_curriculum(name, difficulty) if factory().has_curriculum(name) else config_class()
    base = graded if is_accepted(graded) else config_class()
    values = {field: getattr(base, field) for field in known}
    try:
        made = config_class(**{**values, **config, "seed": 0, "size": BLOCK})
        validate(made)
    except (AssertionError, ValueError, TypeError) as error:
        raise PalestraError("invalid-option", f"task {name} refuses {dict(config)}: {error}") from error
    return made


def generated(*, task: str, difficulty: int, config: dict[str, Any], seed: int, n: int) -> Iterator[dict[str, Any]]:
    """`n` rows that are the same in every process.

    Some tasks follow the order of a set, which differs between processes unless PYTHONHASHSEED says otherwise; so
    this module runs as a script with it set.
    """
    request = {"task": task, "difficulty": difficulty, "config": config, "seed": seed, "n": n}
    command = [sys.executable, "-P", __file__, json.dumps(request)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:  # noqa: S603 - this very file
        try:
            yield from map(json.loads, process.stdout or ())
            status = process.wait()
        finally:
            process.kill()
    if status:
        raise PalestraError("environment-error", f"generating {task} ended with status {status}; its error is above")


def entries(configurations: Mapping[str, Any], seed: int, n: int) -> Iterator[dict[str, Any]]:
    """`n` rows, one of each task in turn."""
    turns = {name: entries_of(name, config, seed) for name, config in configurations.items()}
    names = list(turns)
    return (next(turns[names[index % len(names)]]) for index in range(n))


def entries_of(name: str, config: Any, seed: int) -> Iterator[dict[str, Any]]:
    """Rows of one task without end, block after block. Items whose own answer is wrong are left out."""
    dataset_class, config_class = factory().DATASETS[name]
    values = {field.name: getattr(config, field.name) for field in fields(config_class)}
    for block in count():
        # Neighbouring seeds would share items: the package adds an item's number to the seed.
        block_seed = Random(f"{seed}/{name}/{block}").getrandbits(31)
        dataset = dataset_class(config_class(**{**values, "seed": block_seed}))
        for index in range(BLOCK):
            # Some generators print.
            with contextlib.redirect_stdout(io.StringIO()):
                row = row_of(name, dataset[index], config)
            if row["answer"] is None or score_of_gold(row).value == 1.0:
                yield row


def row_of(name: str, entry: Mapping[str, Any], config: Any) -> dict[str, Any]:
    metadata = {**plain(entry["metadata"]), "source_dataset": name}
    default = type(config)()
    settings = {
        setting: getattr(config, setting)
        for setting in SCORER_SETTINGS.get(name, ())
        if getattr(config, setting) != getattr(default, setting)
    }
    if settings:
        metadata["scorer_config"] = settings
    return {"question": entry["question"], "answer": plain(entry["answer"]), "metadata": metadata}


def plain(value: Any) -> Any:
    """A value as JSON holds it: tuples and sets are lists, keys are text, dates are text."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if hasattr(value, "tolist"):
        # Numbers and arrays of numpy, which must not be imported here.
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(entry) for entry in value), key=repr)
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def main() -> None:
    request = json.loads(sys.argv[1])
    chosen = configurations(request["task"], request["difficulty"], request["config"])
    for row in entries(chosen, request["seed"], request["n"]):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
