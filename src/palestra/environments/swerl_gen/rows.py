"""The fields of a row, as NeMo Gym's datasets have them."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

TESTBED = "/testbed"
OTHER_NAMES = {"FAIL_TO_PASS": ("fail_to_pass_select", "fail_to_pass"),
               "PASS_TO_PASS": ("pass_to_pass_select", "pass_to_pass")}.items()  # fmt: skip


def from_json(value: Any) -> Any:
    """Lists and objects may be written as JSON text."""
    return json.loads(value) if isinstance(value, str) else value


class Issue(BaseModel):
    """What is wrong with which repository. Unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    instance_id: str
    """Names one of the shipped instances, unless the row names an image."""
    problem_statement: str = ""
    """The issue as its author wrote it; not needed in a row that brings its own prompt."""
    repo: str = ""
    patch: str = ""
    """The right repair. Judges reproductions in an image."""
    test_patch: str = ""
    """The tests that come with the repair: no edit may touch their files."""
    FAIL_TO_PASS: tuple[str, ...] = ()
    """Tests that the repair has to make pass, as a list or as JSON text."""
    PASS_TO_PASS: tuple[str, ...] = ()
    """Tests that have to go on passing."""
    setup_script: str = ""
    """Shell script that prepares the image, and applies the test patch."""
    test_script: str = ""
    """Shell script that runs the tests."""
    base_dir: str = TESTBED
    """Where the repository is in the image."""

    @model_validator(mode="before")
    @classmethod
    def known_names(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        named = dict(value)
        for name, others in OTHER_NAMES:
            given = next((other for other in others if other in named), None)
            if name not in named and given is not None:
                named[name] = named[given]
        return named

    @field_validator("FAIL_TO_PASS", "PASS_TO_PASS", mode="before")
    @classmethod
    def listed(cls, value: Any) -> Any:
        return from_json(value)


class Surroundings(BaseModel):
    """What a row says beside its issue."""

    model_config = ConfigDict(frozen=True, extra="allow")

    relevant_file_contents: dict[str, str] = Field(default_factory=dict)
    """The files that may be edited, by path, as an object or as JSON text; of shipped instances, the package."""
    remove_repo_name: bool = False
    """Whether paths in edits begin with the name of the repository, which is taken off."""
    image: str | None = None
    """The container image with the repository in it; without one, the row is about a shipped instance."""

    @field_validator("relevant_file_contents", mode="before")
    @classmethod
    def read(cls, value: Any, info: ValidationInfo) -> Any:
        return from_json(value)
