"""The tables of reference/pipeline-files.md, from the stages of curation and the columns of the index."""

import importlib
from collections.abc import Iterator

from generation.tables import anchored, attribute_docstrings, default_text, fields_of, table, type_text, value_text
from palestra.data.curate.filters import SuccessRate, ToolUse
from palestra.data.curate.pipeline import PipelineFile
from palestra.data.curate.stage import KINDS, Range
from palestra.data.derived import DERIVED
from palestra.data.index.fields import FIELDS
from palestra.data.index.texts import TEXT_FIELDS

HEADER = ("setting", "meaning", "type", "default", "example")


def settings_table(model: type) -> list[str]:
    """One row a setting, without `kind`. Raises KeyError if one has no description or no example."""
    texts = attribute_docstrings(model)
    fields = {name: entry for name, entry in fields_of(model).items() if name != "kind"}
    declared = getattr(model, "model_fields", {})
    rows = (
        (
            anchored(name, f"{model.__name__.lower()}-{name.replace('_', '-')}"),
            texts[name],
            type_text(annotation),
            default_text(default),
            value_text(declared[name].examples[0]),
        )
        for name, (annotation, default) in fields.items()
    )
    return table(HEADER, rows)


def stage_tables() -> list[str]:
    """A section for each kind of stage."""
    lines = settings_table(PipelineFile)
    for kind, path in KINDS.items():
        module, _, name = path.partition(":")
        model = getattr(importlib.import_module(module), name)
        lines += ["", f"## {kind}", "", (model.__doc__ or "").split("\n\n")[0].strip(), ""]
        lines += paragraphs(model.__doc__ or "")
        lines += settings_table(model)
    for model, title in ((Range, "Limits"), (ToolUse, "Use of tools"), (SuccessRate, "Success rate")):
        lines += ["", f"## {title}", "", (model.__doc__ or "").strip(), "", *settings_table(model)]
    return lines


def paragraphs(text: str) -> Iterator[str]:
    """What a docstring says behind its first paragraph."""
    for part in text.split("\n\n")[1:]:
        yield from (" ".join(part.split()), "")


def column_table() -> list[str]:
    rows = [(f"`{name}`", about.meaning, about.type) for name, about in FIELDS.items()]
    rows += [
        (f"`{name}`", f"{about.meaning} (computed when it is asked for)", "float") for name, about in DERIVED.items()
    ]
    rows += [
        (f"`{name}`", f"{about.meaning} (reads all texts once)", about.type) for name, about in TEXT_FIELDS.items()
    ]
    return table(("column", "meaning", "type"), rows)
