"""Blocks that are data: each is read by what reads such data in Palestra."""

import json
import tomllib
from typing import Any

import yaml
from pydantic import ValidationError

from palestra.compat.tree import tree_of
from palestra.conformance.cases import Case
from palestra.core.errors import PalestraError
from palestra.core.manifest import Manifest
from palestra.core.tools import validation_text
from palestra.data.curate.pipeline import PipelineFile
from palestra.data.curate.stage import stage_of
from palestra.models.scripted import is_script
from palestra.wire import schema
from tests.docs.blocks import Block


def problem_of_content(block: Block) -> str | None:
    """What is wrong with a block that is not run, or None."""
    try:
        if block.language == "json":
            check_json(json.loads(block.text), block.marks.get("schema"))
        elif block.language == "jsonl":
            for line in block.text.splitlines():
                check_json(json.loads(line), block.marks.get("schema"))
        elif block.language == "toml":
            check_toml(tomllib.loads(block.text))
        elif block.language == "yaml" and "file" in block.marks:
            tree_of(yaml.safe_load(block.text), block.marks["file"])
        else:
            return unknown_language(block)
    except ValidationError as error:
        return f"{block.place}: {validation_text(error)}"
    except (ValueError, PalestraError, yaml.YAMLError) as error:
        return f"{block.place}: {error}"
    return None


def unknown_language(block: Block) -> str | None:
    if block.language == "text":
        return f"{block.place}: a text block needs `% output` (it is compared) or `% no-run: reason`"
    if block.language == "yaml":
        return f"{block.place}: YAML is what NeMo Gym's commands read: `% file: path`, or `% no-run: reason`"
    known = "python, bash, json, jsonl, toml, text"
    return f"{block.place}: {block.language or 'no language'!r} is none of {known}, and there is no `% no-run: reason`"


def check_json(value: Any, kind: str | None) -> None:
    """Raises ValueError or ValidationError if the value is not what it says or looks like."""
    kind = kind or kind_of_json(value)
    if kind == "script":
        if not is_script(value):
            raise ValueError('a line of a script must be {"task": ..., "replies": [at least one]}')
    elif kind == "case":
        Case.model_validate(value)
    elif kind not in schema.FORMATS:
        raise ValueError(f"`% schema: {kind}` is none of script, case, {', '.join(schema.FORMATS)}")
    elif problems := schema.problems_of(kind, value):
        raise ValueError(f"not a valid {kind}: {'; '.join(problems)}")


def kind_of_json(value: Any) -> str:
    if not isinstance(value, dict):
        raise ValueError("say with `% schema: name` what this JSON is")
    marks = {"_ng_failure_class": "failure", "response": "rollout", "kind": "case", "replies": "script"}
    return next((kind for field, kind in marks.items() if field in value), "input_row")


def check_toml(value: dict[str, Any]) -> None:
    if set(value) == {"project"}:
        groups = value["project"].get("entry-points", {})
        if "palestra.environments" not in groups:
            raise ValueError("the only part of pyproject.toml that concerns Palestra is its entry points")
        return
    if "stage" in value:
        for settings in PipelineFile.model_validate(value).stage:
            stage_of(settings["kind"], {name: entry for name, entry in settings.items() if name != "kind"})
        return
    Manifest.model_validate(value)
