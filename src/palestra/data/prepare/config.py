"""Which datasets are prepared: one TOML file, with NeMo Gym's field names."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from palestra.core.errors import PalestraError
from palestra.core.tools import validation_text

Mode: TypeAlias = Literal["train_preparation", "example_validation"]
IN_SCOPE: MappingProxyType[Mode, tuple[str, ...]] = MappingProxyType(
    {"train_preparation": ("train", "validation"), "example_validation": ("example",)}
)
LICENCES = (
    "Apache 2.0",
    "MIT",
    "Creative Commons Attribution 4.0 International",
    "Creative Commons Attribution-ShareAlike 4.0 International",
    "NVIDIA Internal Use Only, Do Not Distribute",
    "TBD",
    "GNU General Public License v3.0",
    "CC BY-SA 4.0",
    "CC BY-NC 3.0",
    "NVIDIA Evaluation Dataset License Agreement",
)
"""The licences that NeMo Gym's configurations accept."""


class GitlabIdentifier(BaseModel):
    """A file of a dataset in a GitLab model registry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset_name: str
    version: str
    artifact_fpath: str


class HuggingFaceIdentifier(BaseModel):
    """A dataset of the Hugging Face hub, or one file of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo_id: str
    artifact_fpath: str | None = None


class Dataset(BaseModel):
    """One dataset of one agent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str
    """The agent that plays its rows; it is written into each of them."""
    name: str
    type: Literal["train", "validation", "example"]
    jsonl_fpath: Path
    """Relative to the current folder. With a `mapping` also CSV, TSV, JSON or parquet."""
    num_repeats: int = Field(default=1, ge=1)
    """Each row is written so often, one after the other."""
    gitlab_identifier: GitlabIdentifier | None = None
    huggingface_identifier: HuggingFaceIdentifier | None = None
    license: str | None = None
    mapping: Path | None = None
    """A mapping file, if the rows are no task rows yet."""

    @model_validator(mode="after")
    def licensed(self) -> "Dataset":
        if self.license is None and self.type != "example":
            raise ValueError(f"dataset {self.name!r} is for {self.type} and needs a license: {', '.join(LICENCES)}")
        if self.license is not None and self.license not in LICENCES:
            raise ValueError(f"license {self.license!r} of {self.name!r} is none of: {', '.join(LICENCES)}")
        return self

    def to_json(self) -> dict[str, Any]:
        """The fields that stand before the metrics."""
        return self.model_dump(mode="json", exclude={"agent", "mapping"})

    def beside(self, suffix: str) -> Path:
        return self.jsonl_fpath.with_name(self.jsonl_fpath.stem + suffix)


class PrepareConfig(BaseModel):
    """The datasets of a project."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    datasets: tuple[Dataset, ...] = Field(min_length=1)

    def in_scope(self, mode: Mode) -> list[Dataset]:
        """The datasets that a mode is about. Raises PalestraError if there are none, or two share a file."""
        chosen = [dataset for dataset in self.datasets if dataset.type in IN_SCOPE[mode]]
        if not chosen:
            wanted = " or ".join(IN_SCOPE[mode])
            there = ", ".join(f"{dataset.name} ({dataset.type})" for dataset in self.datasets)
            raise PalestraError("usage", f"{mode} needs a dataset of type {wanted}; there are only {there}")
        require_own_files(chosen)
        return chosen


def require_own_files(datasets: Sequence[Dataset]) -> None:
    owners: dict[Path, Dataset] = {}
    for dataset in datasets:
        prepared = dataset.beside("_prepare.jsonl").resolve()
        if (other := owners.setdefault(prepared, dataset)) is not dataset:
            message = f"{other.name} and {dataset.name} would both be written to {prepared}"
            raise PalestraError("usage", message, fix="Give each dataset a file of its own, or raise num_repeats.")


def read_config(path: Path) -> PrepareConfig:
    """Raises PalestraError naming the key that is wrong."""
    try:
        return PrepareConfig.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PalestraError("usage", f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise PalestraError("usage", f"{path}: {validation_text(error)}") from error
