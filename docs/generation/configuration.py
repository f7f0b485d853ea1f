"""The tables of reference/configuration-options.md, from the models of a run's configuration."""

import argparse
from collections.abc import Iterator
from typing import Any

from generation.tables import anchored, attribute_docstrings, default_text, fields_of, table, type_text, value_text
from palestra.agents.tool_loop import AgentLimits
from palestra.cli import collect
from palestra.collection.config import CollectConfig, ModelChoice, SamplingChoice
from palestra.rollout.engine import RunLimits

MODELS = {
    "collect_config": CollectConfig,
    "model_choice": ModelChoice,
    "sampling_choice": SamplingChoice,
    "agent_limits": AgentLimits,
    "run_limits": RunLimits,
}
HEADER = ("field", "meaning", "type", "default", "example", "on the command line")
ALIASES = {"spec": "--model", "environments": "ENV[,ENV...]", "roles": "--role", "options": "--option"}


def model_table(model: type) -> list[str]:
    """One row a field. Raises KeyError if a field has no description or no example."""
    texts = attribute_docstrings(model)
    options = options_of_collect()
    rows: Iterator[tuple[str, ...]] = (
        (
            anchored(name, f"{model.__name__.lower()}-{name.replace('_', '-')}"),
            texts[name],
            type_text(annotation),
            default_text(default),
            value_text(example_of(model, name)),
            option_of(name, options),
        )
        for name, (annotation, default) in fields_of(model).items()
    )
    return table(HEADER, rows)


def example_of(model: type, name: str) -> Any:
    """The example that a field declares; limits share theirs with the configuration's field of their name."""
    declared = getattr(model, "model_fields", CollectConfig.model_fields)
    if name not in declared:
        return fields_of(model)[name][1]
    examples = declared[name].examples
    if not examples:
        raise KeyError(f"{model.__name__}.{name} has no example")
    return examples[0]


def options_of_collect() -> dict[str, str]:
    """Anchor of each option of `palestra collect`, by flag."""
    parser = argparse.ArgumentParser()
    collect.add_arguments(parser)
    return {flag: f"collect-{flag.lstrip('-')}" for action in parser._actions for flag in action.option_strings}


def option_of(name: str, options: dict[str, str]) -> str:
    flag = ALIASES.get(name, "--" + name.replace("_", "-"))
    if flag in options:
        return f"[`{flag}`](cli.md#{options[flag]})"
    if name == "sampling":
        return "[sampling options](cli.md#collect-temperature)"
    return f"`{flag}`" if name in ALIASES else "from Python only"
