"""Training sets from rollouts: chosen, built, checked against a chat template, and written as a whole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from palestra.core.errors import PalestraError
from palestra.data.export.choice import Choice, Dropped, ExportFormat, Rollouts, chosen_singles, labelled, pairs
from palestra.data.export.layouts import TRAINS_ON_ALL, TRAINS_ON_HISTORY, Layout, Target, layout_of
from palestra.data.export.prompts import Prompt, prompts
from palestra.data.export.record import Record, Unusable, has_assistant
from palestra.data.export.roundtrip import RoundTrip
from palestra.data.export.rows import Json, Split, sft_generic_with_tokens
from palestra.data.export.writer import JsonlWriter, RowWriter, new_folder
from palestra.data.lineage import record_derivation
from palestra.store.paths import writing
from palestra.wire.encoding import encode

REPORT = "export_report.json"
SCHEMA = "schema.json"
KEY_SPACE = 1 << 32


class ExportConfig(BaseModel):
    """One export. Equal inputs and equal configurations give equal files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: ExportFormat
    """What is trained."""
    target: Target = "generic"
    """Who trains."""
    inputs: tuple[Path, ...] = Field(min_length=1)
    """Rollout files; for `grpo` also task files."""
    output: Path
    """A folder that does not exist yet, or is empty."""
    choice: Choice = Choice()
    validation: float = Field(default=0.0, ge=0.0, lt=1.0)
    """The share of tasks whose examples go to the validation file; all examples of a task go to one file."""
    seed: int = 0
    """Another seed holds other tasks back for validation."""
    tokens: bool = False
    """Whether `sft` rows for `generic` carry the exact tokens of their rollout."""


@dataclass(slots=True)
class ExportReport:
    """What came of an export."""

    read: int = 0
    """Lines that were read."""
    examples: int = 0
    """Rollouts, pairs or tasks that were exported."""
    rows: dict[str, int] = field(default_factory=dict[str, int])
    """Rows by file."""
    dropped: Dropped = field(default_factory=Dropped)
    remarks: dict[str, int] = field(default_factory=dict[str, int])
    """What to know of how the target trains, and the examples it concerns."""
    check: RoundTrip | None = None

    def to_json(self) -> Json:
        told: Json = {"read": self.read, "examples": self.examples, "rows": self.rows}
        told |= {"dropped": self.dropped.counts, "dropped_examples": self.dropped.examples, "remarks": self.remarks}
        if self.check is not None:
            found = self.check.findings
            told["check"] = {
                "tokenizer": self.check.template.name,
                "checked": self.check.checked,
                "sound": self.check.is_sound,
                "findings": found.counts,
                "finding_examples": found.examples,
            }
        return told


def export(config: ExportConfig, check: RoundTrip | None = None) -> ExportReport:
    """Write a training set, its JSON Schema and a report into a new folder; `check` looks at its rollouts as well.

    Raises PalestraError if nothing can be exported: then nothing is written.
    """
    layout = layout_of(config.format, config.target)
    if config.tokens and (config.format, config.target) != ("sft", "generic"):
        raise PalestraError("usage", "exact tokens go into sft rows for generic only")
    report = ExportReport(check=check)
    with new_folder(config.output) as folder:
        with writing(config.output), Rollouts(config.inputs, config.choice, report.dropped) as rollouts:
            write_rows(config, layout, rollouts, folder, report)
            report.read = rollouts.read
        if not report.examples:
            reasons = ", ".join(f"{kind} {count}" for kind, count in report.dropped.counts.items()) or "no line"
            raise PalestraError("usage", f"none of {report.read} lines is an example ({reasons})", fix=hint(report))
        (folder / SCHEMA).write_bytes(encode(layout.row.model_json_schema()) + b"\n")
        (folder / REPORT).write_bytes(encode(report.to_json()) + b"\n")
    settings = config.model_dump(mode="json", exclude={"inputs", "output"})
    record_derivation(config.output, config.inputs, "export", settings)
    return report


def hint(report: ExportReport) -> str | None:
    """What may help if nothing was exported."""
    most = max(report.dropped.counts, key=report.dropped.counts.__getitem__, default=None)
    fixes = {
        "reward": "Lower --min-reward.",
        "no_pair": "Lower --min-gap, or collect more --repeats: a pair needs two rollouts of one task.",
        "truncated": "Collect with a higher --max-output-tokens, or add --truncated.",
        "tools": "Export to generic, trl or nemo-rl, which keep tools.",
        "no_step_rewards": "Only environments that reward steps give process supervision.",
    }
    return fixes.get(most or "")


def write_rows(config: ExportConfig, layout: Layout, rollouts: Rollouts, folder: Path, report: ExportReport) -> None:
    with ExitStack() as stack:
        writers: dict[Split, RowWriter] = {}

        def writer(split: Split) -> RowWriter:
            if split not in writers:
                writers[split] = open_writer(folder / f"{split}.{layout.kind}", layout)
                stack.callback(writers[split].close)
            return writers[split]

        writer("train")
        for key, build in examples(config, layout, rollouts, report):
            split = split_of(key, config)
            name = f"{split}.{layout.kind}"
            try:
                for row in build(split, report.rows.get(name, 0)):
                    writer(split).write(row)
                    report.rows[name] = report.rows.get(name, 0) + 1
            except Unusable as reason:
                report.dropped.add(reason.kind, str(reason))
                continue
            report.examples += 1


def open_writer(path: Path, layout: Layout) -> RowWriter:
    if layout.kind == "jsonl":
        return JsonlWriter(path)
    try:
        from palestra.data.export.parquet import ParquetWriter
    except ImportError as error:
        message = f"parquet files need {error.name}, which is not installed"
        raise PalestraError("missing-package", message, fix='pip install "palestra[data]"') from error
    return ParquetWriter(path, layout.row.__name__)


def split_of(task_key: bytes, config: ExportConfig) -> Split:
    """By the task's own content, so that no task is in both files, whatever else is exported with it."""
    share = (int.from_bytes(task_key[:4], "big") ^ (config.seed * 2654435761)) % KEY_SPACE / KEY_SPACE
    return "validation" if share < config.validation else "train"


Build = Callable[[Split, int], Iterable[Json]]


def examples(
    config: ExportConfig, layout: Layout, rollouts: Rollouts, report: ExportReport
) -> Iterator[tuple[bytes, Build]]:
    """The key of each example's task, and what builds its rows."""
    if config.format == "grpo":
        for prompt in prompts(rollouts):
            yield prompt.key, partial(one_row, layout, prompt)
        return
    build = sft_generic_with_tokens if config.tokens else layout.build
    if config.format in ("dpo", "rm"):
        for pair in pairs(rollouts):
            note(pair, layout, report)
            yield pair[0].task_key, partial(built, build, pair, config.choice)
        return
    for record in labelled(rollouts) if config.format == "kto" else chosen_singles(rollouts):
        note([record], layout, report)
        yield record.task_key, partial(built, build, record, config.choice)


def one_row(layout: Layout, prompt: Prompt, split: Split, index: int) -> list[Json]:
    return [layout.build(prompt, split, index)]


def built(build: Callable[..., Any], example: Any, choice: Choice, split: Split, index: int) -> list[Json]:
    """All rows of an example before any is written, so that one that breaks leaves none."""
    return list(build(example, choice))


def note(records: Sequence[Record], layout: Layout, report: ExportReport) -> None:
    """Look at rollouts as the target's trainer will."""
    if report.check is not None:
        for record in records:
            report.check.look_at(record)
    mixed = layout.learns_from == "completion" and any(
        message["role"] != "assistant" for record in records for message in record.completion
    )
    history = layout.learns_from == "assistant" and any(has_assistant(record.prompt) for record in records)
    for applies, remark in ((mixed, TRAINS_ON_ALL), (history, TRAINS_ON_HISTORY)):
        if applies:
            report.remarks[remark] = report.remarks.get(remark, 0) + 1
