"""The files that NeMo Gym wants in the folder data of every resources server."""

import json
from collections.abc import Iterator
from pathlib import Path

from palestra.data.load import EXAMPLES, count_rows

COUNT = "Number of examples"


def data_problems(folder: Path) -> list[str]:
    """What is missing or wrong in the folder; empty if nothing is."""
    return [*row_problems(folder), *metrics_problems(folder / "example_metrics.json"), *conflict_problems(folder)]


def row_problems(folder: Path) -> Iterator[str]:
    for path in (folder / "example.jsonl", folder / "example_rollouts.jsonl"):
        if not path.is_file():
            yield f"{path} is missing"
        elif (count := count_rows(path)) != EXAMPLES:
            yield f"{path} must have {EXAMPLES} rows, it has {count}"


def metrics_problems(path: Path) -> Iterator[str]:
    try:
        metrics = json.loads(path.read_bytes())
    except OSError:
        yield f"{path} is missing; ng_prepare_data +mode=example_validation writes it"
    except ValueError as error:
        yield f"{path} is not JSON: {error}"
    else:
        count = metrics.get(COUNT) if isinstance(metrics, dict) else None
        if count != EXAMPLES:
            yield f"{path} must say {COUNT!r}: {EXAMPLES}, it says {count!r}"


def conflict_problems(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*conflict*")):
        yield f"{path} is left of a conflict: settle it and delete the file"
