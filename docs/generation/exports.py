"""reference/export-formats.md: what can be exported for whom, and every field of the rows."""

from collections.abc import Iterator

from pydantic import BaseModel

from generation.tables import anchored, slug, table, type_text
from palestra.data.export import schemas, task_schemas
from palestra.data.export.layouts import FORMATS, LAYOUTS, TARGETS

PURPOSES = {
    "sft": "imitate good answers",
    "dpo": "prefer the better of two answers",
    "kto": "prefer wanted answers to unwanted ones",
    "rm": "train a reward model on pairs",
    "prm": "train a reward model on steps",
    "grpo": "play tasks anew, with the verifier's fields",
}
LEARNED = {
    "model": "what the model said in the rollout",
    "completion": "the whole completion, messages of tools and users included",
    "assistant": "every assistant message, those of the prompt included",
}

INTRODUCTION = """\
# Export formats

What [`palestra export`](cli.md#palestra-export) writes. Each set is a folder with `train.jsonl` or `train.parquet`,
with `--validation` also a validation file, `schema.json` (the JSON Schema of a row) and `export_report.json` (what was
read, left out and why, and what the check against the chat template found). Lines of rollouts are described in
[Rollout format](rollout-format.md); how they become examples is in
[Train offline with rollouts](../tutorials/offline-training-with-rollouts.md).
"""

NOTES = """\
## Notes on targets

Versions are those that `make test-frameworks` installs and runs: TRL 1.16.0 with datasets 5.2.0 (older versions of
datasets merge the fields of tool calls), verl 0.9.1, OpenRLHF 0.11.2. NeMo RL and NeMo Customizer do not install from a
package index on a CPU: their rows are checked against the published formats only.

- OpenRLHF's loaders and verl's parquet files do not bring tools to the chat template, and NeMo RL's preference sets
  have no field for them. Rollouts with tools are left out there and counted as `tools`.
- Where the target learns from the whole completion, or from every assistant message, the report says how many examples
  that concerns.
- `nemo-rl` rows of `grpo` are task rows as `palestra collect` and NeMo Gym read them.
"""


def exports_page() -> str:
    lines = [INTRODUCTION]
    rows = ((f"`{name}`", PURPOSES[name], *(mark(name, target) for target in TARGETS)) for name in FORMATS)
    lines += [*table(("format", "to", *(f"`{target}`" for target in TARGETS)), rows), ""]
    lines += ["## Who reads what", ""]
    lines += [*table(("format", "target", "file", "row", "read with", "learned from"), readers()), "", NOTES]
    for model in models():
        lines += [f"## {model.__name__}", "", str(model.__doc__), "", *fields(model), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def mark(name: str, target: str) -> str:
    return "yes" if any(key == (name, target) for key in LAYOUTS) else ""


def readers() -> Iterator[tuple[str, ...]]:
    for (name, target), layout in LAYOUTS.items():
        row = layout.row.__name__
        link = f"[{row}](#{slug(row)})"
        learned = LEARNED[layout.learns_from] if name in ("sft", "dpo", "kto") else "does not apply"
        yield f"`{name}`", f"`{target}`", f"`train.{layout.kind}`", link, layout.read_with, learned


def models() -> list[type[BaseModel]]:
    """The rows in the order of the table, then what they are made of."""
    found = dict.fromkeys(layout.row for layout in LAYOUTS.values())
    parts = (schemas.ChatMessage, schemas.ToolCall, schemas.ToolFunction, schemas.RankedCompletion,
             task_schemas.RewardModel, task_schemas.ExtraInfo)  # fmt: skip
    return [*found, *parts]


def fields(model: type[BaseModel]) -> list[str]:
    rows = [
        (
            anchored(name, f"{slug(model.__name__)}-{slug(name)}"),
            type_text(field.annotation),
            "always" if field.is_required() else "if there are some",
            field.description or "",
        )
        for name, field in model.model_fields.items()
    ]
    return table(("field", "type", "present", "meaning"), rows)
