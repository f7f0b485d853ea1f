"""The tables of reference/rollout-format.md, from the models of the files."""

from typing import Any

from generation.tables import anchored, default_of, default_text, slug, table, type_text
from palestra.wire import items, records, schema

SHOWN = (
    schema.Rollout, schema.FailureLine, schema.InputRow, schema.MaterializedInput, schema.CreateParams, schema.AgentRef,
    records.RolloutRecord, records.FailureRecord, records.FailureReport, records.MaterializedRecord, records.Timing,
    records.Usage, records.ModelCallRecord, records.Tokens, items.Response, items.Message, items.ContentPart,
    items.FunctionCall, items.FunctionCallOutput, items.Reasoning, items.OtherItem, items.AnyTool,
)  # fmt: skip


def format_table(model: type[items.Described]) -> list[str]:
    """One row a field, by the name it has in the file."""
    rows: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        written = field.alias or name
        anchor = f"{slug(model.__name__)}-{slug(written)}"
        rows.append((anchored(written, anchor), type_words(field.annotation), needed(field), field.description or ""))
    return table(("field", "type", "default", "meaning"), rows)


def type_words(annotation: Any) -> str:
    if annotation == items.Output:
        return "list of items"
    return type_text(annotation).replace("`AnyItem`", "item").replace("`AnyTool`", "tool")


def needed(field: Any) -> str:
    value = default_of(field)
    return "absent" if value is None else default_text(value)
