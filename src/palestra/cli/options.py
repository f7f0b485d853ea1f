"""Options that several commands share, and how their values are read."""

import argparse
import json
from collections.abc import Iterable
from typing import Any, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from palestra.collection.config import EVERY_ENVIRONMENT, SamplingChoice
from palestra.core.discovery import Source
from palestra.core.errors import PalestraError
from palestra.core.sandbox import SandboxPolicy
from palestra.core.tools import validation_text

Model = TypeVar("Model", bound=BaseModel)

Group: TypeAlias = "argparse.ArgumentParser | argparse._ArgumentGroup"
"""Where options are declared: argparse gives its groups no public name."""


def add_environment_options(parser: Group) -> None:
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="[ENV.]KEY=VALUE",
        help="set an option of an environment; VALUE is JSON or text; repeatable",
    )


def add_role_options(parser: Group) -> None:
    other = "another model, such as a judge; repeatable"
    parser.add_argument("--role", action="append", default=[], metavar="ROLE=MODEL@URL", help=other)
    settings = "a setting of that model, such as its api_key_env or call_timeout_s; repeatable"
    parser.add_argument("--role-option", action="append", default=[], metavar="ROLE.KEY=VALUE", help=settings)


def add_sandbox_option(parser: Group) -> None:
    meaning = "the boundary around code that environments run: a strong one or none, or the weak one by name"
    parser.add_argument("--sandbox", choices=get_args(SandboxPolicy), default="strong", help=meaning)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def read_options(texts: Iterable[str], environments: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`[ENV.]KEY=VALUE` texts as options by environment; without ENV they hold for all."""
    names = set(environments)
    options: dict[str, dict[str, Any]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise PalestraError("usage", f"--option must be [ENV.]KEY=VALUE, got {text!r}")
        environment, dot, name = key.partition(".")
        if dot and environment not in names:
            known = ", ".join(sorted(names))
            raise PalestraError("usage", f"--option {text!r} names {environment!r}, which is not one of: {known}")
        target = environment if dot else EVERY_ENVIRONMENT
        options.setdefault(target, {})[name if dot else key] = read_value(value)
    return options


def read_own_options(texts: Iterable[str], source: Source) -> BaseModel:
    """`--option` texts as the options of the one environment of a command. Raises PalestraError naming the option."""
    values = read_options(texts, [source.name])
    return source.options({**values.get(EVERY_ENVIRONMENT, {}), **values.get(source.name, {})})


def read_value(text: str) -> Any:
    """A value as JSON if it is JSON, else as the text it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_sampling(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, SamplingChoice]:
    """`--temperature 0.7` or `--temperature ENV=0.7` and its like, by environment."""
    merged: dict[str, dict[str, Any]] = {}
    for name in names:
        for text in getattr(arguments, name) or []:
            environment, equals, value = text.rpartition("=")
            merged.setdefault(environment if equals else EVERY_ENVIRONMENT, {})[name] = read_value(value)
    return {environment: validated(SamplingChoice, values) for environment, values in merged.items()}


def validated(model: type[Model], values: dict[str, Any]) -> Model:
    """A pydantic model from command line values. Raises PalestraError naming the option."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise PalestraError("usage", validation_text(error)) from error
