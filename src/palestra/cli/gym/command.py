"""What the commands have in common: their parameters, read from the words behind them and from env.yaml, and help."""

import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from palestra.cli.gym.registry import Command
from palestra.compat.config import GymConfig, Sources, read_config, read_values
from palestra.compat.overrides import ANYTHING, Override
from palestra.compat.paths import placed
from palestra.compat.problems import problem_texts
from palestra.core.errors import PalestraError, suggestion

TYPES = types.MappingProxyType({str: "text", int: "integer", float: "number", bool: "true or false"})


class GymParameters(BaseModel):
    """The keys that a command reads, beside those of the configuration."""

    # Help is made of the texts below the fields. Names such as 7 and versions such as 1.0 are texts all the same.
    model_config = ConfigDict(
        frozen=True, extra="ignore", use_attribute_docstrings=True, coerce_numbers_to_str=True, populate_by_name=True
    )


Model = TypeVar("Model", bound=GymParameters)


@dataclass(frozen=True, slots=True)
class Call:
    """A command as it was called."""

    script: str
    """The name that it was called by."""
    overrides: Sequence[Override]

    def parameters(self, model: type[Model], defaults: Mapping[str, Any] | None = None) -> Model:
        """The parameters from env.yaml, files and words. Raises PalestraError naming all that is missing or wrong."""
        found = read_values(self.sources(model, defaults))
        for name, reason in found.broken.items():
            if name.partition(".")[0] in keys_of(model):
                raise PalestraError("usage", f"{self.script}: {name}: {reason}")
        return self.checked(model, found.values)

    def parameters_of_words(self, model: type[Model], *, takes_others: bool = False) -> Model:
        """The parameters from the words alone, for commands that no configuration is about.

        With `takes_others` the other words are the configuration's.
        """
        values: Any = {}
        for override in self.overrides:
            if override.path[0] not in keys_of(model):
                if takes_others:
                    continue
                known = ", ".join(keys_of(model)) or "none"
                hint = suggestion(override.path[0], keys_of(model))
                message = f"{self.script} has no parameter {override.path[0]!r}.{hint} It has: {known}."
                raise PalestraError("usage", message)
            if override.value is not ANYTHING:
                values = placed(values, override.path, override.value)
        return self.checked(model, values)

    def config(
        self, model: type[GymParameters], defaults: Mapping[str, Any] | None = None, *, needs_models: bool = True
    ) -> GymConfig:
        """The whole configuration; remarks on it go to standard error."""
        config = read_config(replace(self.sources(model, defaults), needs_models=needs_models))
        for text in config.remarks:
            print(f"note: {text}", file=sys.stderr)
        return config

    def sources(self, model: type[GymParameters], defaults: Mapping[str, Any] | None) -> Sources:
        known = frozenset(keys_of(model))
        return Sources(defaults=defaults or {}, overrides=self.overrides, known=known)

    def checked(self, model: type[Model], values: Mapping[Any, Any]) -> Model:
        keys = keys_of(model)
        given = {key: values[key] for key in keys if values.get(key) is not None and values[key] != "???"}
        words = [override.path[0] for override in self.overrides if override.path[0] not in keys]
        required = [key for key, field in zip(keys, model.model_fields.values(), strict=True) if field.is_required()]
        if missing := [key for key in required if key not in given]:
            meant = "".join(suggestion(word, missing) for word in words)
            fix = f"Add {' '.join(f'+{key}=VALUE' for key in missing)}; `{self.script} +h=true` explains them."
            raise PalestraError("usage", f"{self.script} needs {', '.join(missing)}.{meant}", fix=fix)
        try:
            return model.model_validate(given)
        except ValidationError as error:
            fix = f"`{self.script} +h=true` explains the parameters."
            raise PalestraError("usage", f"{self.script}: {'; '.join(problem_texts(error))}", fix=fix) from error


def keys_of(model: type[GymParameters]) -> list[str]:
    """The names of the parameters as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def is_set(overrides: Sequence[Override], key: str) -> bool:
    """Whether a switch such as +h=true is among the words."""
    return any(override.path == (key,) and override.value is True for override in overrides)


def help_lines(script: str, command: Command, module: Any) -> Iterator[str]:
    """What `+h=true` prints."""
    yield f"{script}: {command.summary}"
    yield from ("", inspect.cleandoc(module.__doc__ or ""), "", "parameters, as +NAME=VALUE:")
    model: type[GymParameters] = module.Parameters
    for key, field in zip(keys_of(model), model.model_fields.values(), strict=True):
        default = "required" if field.is_required() else f"default {default_text(field.get_default())}"
        yield f"  {key} ({type_text(field.annotation)}, {default}): {' '.join((field.description or '').split())}"
    yield "  and any key of the configuration"
    yield from ("", "example:", f"  {module.EXAMPLE}")


def default_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or value in ("", (), {}) else str(value)


def type_text(annotation: Any) -> str:
    """A type in a reader's words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(argument) for argument in arguments if argument is not type(None))
    if origin in (list, tuple):
        return f"list of {type_text(arguments[0])}"
    if origin is dict:
        return "mapping"
    return TYPES.get(annotation, getattr(annotation, "__name__", "any").lower())
