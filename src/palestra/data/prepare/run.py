"""Preparing datasets: every row checked first, then repeated, given its agent, written and counted."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError, describe
from palestra.data.adapters.convert import task_rows
from palestra.data.adapters.mapping import read_mapping
from palestra.data.lineage import record_derivation
from palestra.data.prepare.config import IN_SCOPE, Dataset, Mode
from palestra.data.prepare.metrics import Metrics, conflicts
from palestra.data.validate.rows import Demands, row_problems
from palestra.rollout.plan import Row
from palestra.store.paths import replacing, writing
from palestra.wire.encoding import encode
from palestra.wire.rows import AGENT_REF, PARAMS, agent_name

MOST_TOLD = 20


@dataclass(slots=True)
class Prepared:
    """What was written, and what somebody should know about it."""

    files: list[Path] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    """By type, repeats counted."""
    remarks: list[str] = field(default_factory=list)
    """What NeMo Gym would not have said."""
    conflicts: dict[str, list[str]] = field(default_factory=dict)
    """By metrics file: where it differs from the new metrics, which stand in the `_conflict.json` beside it."""


@dataclass(slots=True)
class Offending:
    """Rows that cannot be used."""

    count: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.count += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(text)


def prepare(
    datasets: Sequence[Dataset], mode: Mode, output: Path, *, overwrites_metrics: bool = False, skips: bool = False
) -> Prepared:
    """Prepare the datasets of a mode into `output`.

    Every row is checked before anything is written: one that NeMo Gym would pass over in silence ends it here, with
    file, line and field. With `skips`, such rows are left out and written to `<stem>_rejected.jsonl` instead. Metrics
    that differ from those in a file that is there are not written over it unless `overwrites_metrics`.
    Raises PalestraError if a file is missing or no row is left, or a row is wrong.
    """
    missing = [dataset for dataset in datasets if not dataset.jsonl_fpath.exists()]
    if missing:
        names = ", ".join(f"{dataset.jsonl_fpath} of {dataset.name}" for dataset in missing)
        raise PalestraError("missing-file", f"there is no {names}", fix="Mend jsonl_fpath, or add --download.")
    if not skips:
        require_valid(datasets)
    result = Prepared()
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    measured = {id(dataset): write_dataset(dataset, result, overwrites_metrics) for dataset in datasets}
    for kind in IN_SCOPE[mode]:
        chosen = [dataset for dataset in datasets if dataset.type == kind]
        if chosen:
            collate(kind, chosen, [measured[id(dataset)] for dataset in chosen], output, result, overwrites_metrics)
    return result


def require_valid(datasets: Sequence[Dataset]) -> None:
    offending = Offending()
    for dataset in datasets:
        for row in rows_of(dataset):
            if (problem := problem_of(row)) is not None:
                offending.add(problem)
    if offending.count:
        more = f"\n  and {offending.count - MOST_TOLD} more" if offending.count > MOST_TOLD else ""
        fix = "Mend them (`palestra data validate` lists them all), or leave them out with --skip-invalid."
        message = f"{offending.count} rows cannot be used, and nothing was written:\n  "
        raise PalestraError("invalid-row", message + "\n  ".join(offending.told) + more, fix=fix)


def rows_of(dataset: Dataset) -> Iterator[Row]:
    return task_rows(dataset.jsonl_fpath, read_mapping(dataset.mapping) if dataset.mapping else None)


def problem_of(row: Row) -> str | None:
    """Why a row cannot be used for training: the first error, with its place."""
    if row.problem is not None:
        return row.problem
    if row.content.get(PARAMS) is None:
        return f"{row.origin} has no {PARAMS}; a mapping with a prompt makes it"
    errors = (each.at(row.origin, 0) for each in row_problems(row.content, "task", Demands()))
    return next((str(finding) for finding in errors if finding.severity == "error"), None)


def write_dataset(dataset: Dataset, result: Prepared, overwrites: bool) -> Metrics:
    """Write `<stem>_prepare.jsonl` and `<stem>_metrics.json`, and with rejected rows `<stem>_rejected.jsonl`."""
    metrics, renamed, rejected = Metrics(), Counter[str](), 0
    path, reject_path = dataset.beside("_prepare.jsonl"), dataset.beside("_rejected.jsonl")
    reference = {"type": "responses_api_agents", "name": dataset.agent}
    with replacing(path) as file, replacing(reject_path) as rejects:
        for row in rows_of(dataset):
            if (problem := problem_of(row)) is not None:
                rejected += 1
                rejects.write(encode({"problem": problem, "row": dict(row.content)}) + b"\n")
                continue
            named = agent_name(row.content)
            if named not in (None, dataset.agent):
                renamed[str(named)] += 1
            metrics.add(row.content, dataset.num_repeats)
            file.write((encode({**row.content, AGENT_REF: reference}) + b"\n") * dataset.num_repeats)
    if rejected:
        result.remarks.append(f"{rejected} rows of {dataset.name} were left out; they are in {reject_path}")
        result.files.append(reject_path)
    else:
        reject_path.unlink()
    for name, count in renamed.items():
        result.remarks.append(f"{count} rows of {dataset.name} named the agent {name!r}; it is {dataset.agent!r} now")
    for name, count in metrics.mixed.items():
        text = f"{count} values of {name!r} in {dataset.name} are of another type than its first; no metric has them"
        result.remarks.append(text)
    if not metrics.rows:
        raise PalestraError("invalid-row", f"no row of {dataset.jsonl_fpath} can be used", fix="Mend the rows.")
    result.files.append(path)
    write_metrics(dataset.beside("_metrics.json"), {**dataset.to_json(), **metrics.to_json()}, result, overwrites)
    return metrics


def collate(
    kind: str,
    datasets: Sequence[Dataset],
    measured: Sequence[Metrics],
    output: Path,
    result: Prepared,
    overwrites: bool,
) -> None:
    """Put the prepared datasets of one type together, in the order of the configuration."""
    path, total = output / f"{kind}.jsonl", Metrics()
    with replacing(path) as file:
        for dataset in datasets:
            with dataset.beside("_prepare.jsonl").open("rb") as prepared:
                while block := prepared.read(1 << 20):
                    file.write(block)
    for dataset, metrics in zip(datasets, measured, strict=True):
        if shared := total.merge(metrics):
            text = f"{', '.join(shared)} in {kind}_metrics.json are those of {dataset.name} alone, as NeMo Gym does it"
            result.remarks.append(text)
    result.files.append(path)
    result.rows[kind] = total.rows
    write_metrics(output / f"{kind}_metrics.json", {**datasets[0].to_json(), **total.to_json()}, result, overwrites)
    config = {"datasets": [dataset.model_dump(mode="json") for dataset in datasets]}
    record_derivation(path, [dataset.jsonl_fpath for dataset in datasets], "prepare", config)


def write_metrics(path: Path, metrics: Mapping[str, Any], result: Prepared, overwrites: bool) -> None:
    """Write a metrics file, unless one is there that says something else: then `<stem>_conflict.json`."""
    conflict_path = path.with_name(f"{path.stem}_conflict.json")
    differences = list(conflicts(read_metrics(path), metrics)) if path.exists() else []
    if differences:
        result.conflicts[str(path)] = differences
        if not overwrites:
            path = conflict_path
    if path != conflict_path:
        conflict_path.unlink(missing_ok=True)
    with replacing(path) as file:
        file.write(json.dumps(metrics, indent=4).encode())
    result.files.append(path)


def read_metrics(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        message = f"{path} is there and cannot be compared: {describe(error)}"
        raise PalestraError("invalid-row", message, fix="Delete or rename it; it is made again.") from error
