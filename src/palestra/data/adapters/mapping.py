"""The mapping file: a few lines of TOML that say how a row of another shape becomes a task row."""

import re
import tomllib
from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from palestra.core.errors import PalestraError, suggestion
from palestra.core.tools import validation_text

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class FieldRule(BaseModel):
    """Where a task's field comes from, if not from a column as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    """The column, or a path into it with dots."""
    pattern: re.Pattern[str] | None = None
    """A regular expression; the field is its first group in the column's text. A row it does not match is a problem."""
    type: Literal["text", "integer", "number", "boolean", "json"] | None = None
    """What the text is read as; commas that group digits are left out of numbers."""


class RolloutRule(BaseModel):
    """Where a row holds what a model said and what it was worth; the rows become rollouts then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reward: str | FieldRule
    """The column of the reward: a number, or whether it was right. A row without one is a problem."""
    response: str | None = None
    """The column with the text of the reply; in a conversation it is all from the model's first words on."""
    task: str | None = None
    """The column that names the task; else rows that ask the same are one task."""
    model: str = "recorded"
    """The model that replied."""
    model_column: str | None = None
    """The column that names the model, if it is not the same everywhere."""
    each: tuple[str, ...] = ()
    """Columns that each hold one rollout as an object, whose entries stand beside the columns. Each is a rollout of
    the row's task, and its name the model."""


class Mapping(BaseModel):
    """How rows become task rows, or rollouts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: Literal["columns", "chat", "sharegpt", "alpaca", "xlam", "dpo"] = "columns"
    """How the rows hold a conversation; `columns` if only `prompt` and `fields` say so."""
    agent: str | None = None
    """The agent of the rows, written as agent_ref."""
    prompt: str | None = None
    """The user's message, with columns in braces: `Solve: {question}`."""
    system: str | None = None
    """A system message before the conversation, with columns in braces."""
    columns: dict[str, str] = Field(default_factory=dict)
    """The names of the columns that the shape reads, where they are called otherwise."""
    answer: str | None = None
    """The field that gets the last words of the assistant, which are taken out of the conversation."""
    fields: dict[str, str | FieldRule] = Field(default_factory=dict)
    """Fields of the task, by name: a column, or a rule."""
    constants: dict[str, Any] = Field(default_factory=dict)
    """Fields that are the same in every row."""
    rollout: RolloutRule | None = None
    """Makes rollouts of rows that hold what a model said."""
    drop: tuple[str, ...] = ()
    """Columns that are left out. All that nothing reads is kept under its own name."""

    @field_validator("fields")
    @classmethod
    def no_reserved_fields(cls, fields: dict[str, Any]) -> dict[str, Any]:
        if reserved := fields.keys() & {"responses_create_params", "agent_ref", "palestra"}:
            raise ValueError(f"{min(reserved)} is made by the mapping and cannot be a field")
        return fields


def read_mapping(path: Path) -> Mapping:
    """Raises PalestraError naming the key that is wrong."""
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PalestraError("usage", f"{path} is not TOML: {error}") from error
    try:
        return Mapping.model_validate(values)
    except ValidationError as error:
        strange = next(iter(values.keys() - Mapping.model_fields.keys()), None)
        hint = suggestion(strange, Mapping.model_fields) if strange else ""
        fix = "The keys of a mapping are in the how-to 'Manage training datasets'."
        raise PalestraError("usage", f"{path}: {validation_text(error)}.{hint}", fix=fix) from error


def filled(template: str, row: AnyMapping[str, Any]) -> str:
    """A template with the row's columns. Raises ValueError for a column the row lacks."""
    return PLACEHOLDER.sub(lambda found: as_text(looked_up(row, found[1])), template)


def looked_up(row: AnyMapping[str, Any], path: str) -> Any:
    """A column by its name, or by a path with dots. Raises ValueError."""
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        if isinstance(value, AnyMapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise ValueError(f"there is no column {path!r}.{suggestion(path, map(str, row))}")
    return value


def as_text(value: Any) -> str:
    if value is None:
        raise ValueError("a column of the prompt is empty (null)")
    return value if isinstance(value, str) else str(value)
