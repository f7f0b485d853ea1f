"""Pipelines of stages: read from a file, run over rows, each stage cached by content, and what they did as a report."""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from palestra import __version__
from palestra.core.errors import PalestraError
from palestra.core.tools import validation_text
from palestra.data.curate.stage import Dropped, Numbers, Outcome, Stage, Surroundings, stage_of
from palestra.data.rows import Rows
from palestra.store.paths import replacing, unwritable
from palestra.wire.encoding import decode, encode

CACHED_STAGES = 64
"""Outcomes of stages that are kept beside an index; older ones are removed."""


class PipelineFile(BaseModel):
    """A pipeline file: TOML, with one `[[stage]]` for each stage, in order."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: str = Field(default="", examples=["sft"])
    """What reports call it."""
    seed: int = Field(default=0, ge=0, examples=[7])
    """Decides everything that is drawn: the same file over the same rows gives the same rows, byte for byte."""
    stage: list[dict[str, Any]] = Field(min_length=1, examples=[[{"kind": "filter", "where": ["reward >= 0.5"]}]])
    """The stages: `kind`, and the settings of that kind."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages with a seed."""

    stages: Sequence[Stage]
    seed: int = 0
    name: str = ""
    folder: Path = Path()
    """Where relative paths in settings start."""

    def settings(self) -> dict[str, Any]:
        """What decides, together with the rows and the files it reads, what comes out: as JSON."""
        stages = [
            {
                "kind": f"{type(stage).__module__}:{type(stage).__name__}",
                "settings": stage.model_dump(mode="json") if isinstance(stage, BaseModel) else repr(stage),
            }
            for stage in self.stages
        ]
        return {"seed": self.seed, "stages": stages}

    def files(self) -> list[Path]:
        """The files that its stages read, beside the rows."""
        return [path for stage in self.stages for path in stage.files(self.folder)]

    @classmethod
    def of_file(cls, path: Path) -> "Pipeline":
        """A pipeline from its TOML file. Raises PalestraError that names stage and setting."""
        try:
            content = PipelineFile.model_validate(tomllib.loads(path.read_text()))
            stages = [dict(settings) for settings in content.stage]
        except OSError as error:
            raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            raise PalestraError("usage", f"{path}: {validation_text(error)}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PalestraError("usage", f"{path} is no TOML file: {error}") from error
        found: list[Stage] = []
        for number, settings in enumerate(stages, 1):
            kind = settings.pop("kind", None)
            if not isinstance(kind, str):
                raise PalestraError("usage", f"{path}: stage {number} has no kind", fix='Write kind = "filter".')
            try:
                found.append(stage_of(kind, settings))
            except PalestraError as error:
                raise PalestraError(error.code, f"{path}, stage {number}: {error.message}", fix=error.fix) from error
        return cls(found, content.seed, content.name, path.parent)


@dataclass(frozen=True, slots=True)
class StageReport:
    """What one stage did."""

    stage: str
    kind: str
    rows_before: int
    rows_after: int
    tasks_after: int
    cached: bool
    dropped: Sequence[Dropped]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Curated:
    """What came out of a pipeline: positions of rows, and how."""

    rows: Rows
    kept: Numbers
    stages: Sequence[StageReport]
    parts: Sequence[int] = ()

    def write(self, path: Path) -> int:
        """Copy the rows, byte for byte, into a file that appears when it is whole; gives its bytes.

        Parts, if there are any, are written to `<stem>_round<N>` too. Raises PalestraError if that cannot be done, or
        would replace a file that the rows are read from.
        """
        outputs = self.outputs(path)
        for output in outputs:
            require_other(output, self.rows.paths)
        sizes: list[int] = []
        for output, kept in outputs.items():
            with replacing(output) as file:
                sizes.append(self.rows.copy(kept, file))
        return sizes[0]

    def outputs(self, path: Path) -> dict[Path, Numbers]:
        """The files that `write` makes, with the positions of their rows."""
        outputs = {path: self.kept}
        for number, start in enumerate(self.parts, 1):
            end = self.parts[number] if number < len(self.parts) else len(self.kept)
            outputs[path.with_name(f"{path.stem}_round{number}{path.suffix}")] = self.kept[start:end]
        return outputs

    def report(self) -> dict[str, Any]:
        """What happened, as JSON."""
        return {
            "palestra": __version__,
            "inputs": [str(path) for path in self.rows.paths],
            "rows": len(self.rows),
            "bad_lines": self.rows.bad_lines,
            "problems": [str(problem) for problem in self.rows.problems[:100]],
            "kept": len(self.kept),
            "stages": [asdict(stage) for stage in self.stages],
        }


def require_other(path: Path, inputs: Sequence[Path]) -> None:
    if path.exists() and any(path.samefile(source) for source in inputs):
        raise PalestraError("usage", f"{path} is read and cannot be the output too", fix="Name another file.")
    if not path.parent.is_dir():
        raise unwritable(path, FileNotFoundError(2, "there is no such folder", str(path.parent)))


def curate(rows: Rows, stages: "Pipeline | Sequence[Stage]", *, seed: int = 0, caches: bool = True) -> Curated:
    """Run stages over rows. Nothing is written but the cache of stages, which is beside the index of the first file.

    Raises PalestraError if settings do not fit the rows.
    """
    pipeline = stages if isinstance(stages, Pipeline) else Pipeline(stages, seed)
    kept: Numbers = np.arange(len(rows), dtype=np.int64)
    reports: list[StageReport] = []
    parts: Sequence[int] = ()
    key = content_key(rows)
    for number, stage in enumerate(pipeline.stages):
        around = Surroundings(pipeline.seed * 1_000 + number, pipeline.folder)
        key = stage_key(key, stage, around)
        cache = rows.parts[0].folder / "stages" / f"{key}.json" if caches and rows.parts else None
        outcome = cached_outcome(cache)
        is_cached = outcome is not None
        if outcome is None:
            outcome = stage.run(rows, kept, around)
            store_outcome(cache, outcome)
        name = stage.name or stage.kind
        tasks = len(np.unique(rows.tasks[0][outcome.kept]))
        before, kept, parts = len(kept), outcome.kept, outcome.parts
        dropped, facts = list(outcome.dropped), dict(outcome.facts)
        reports.append(StageReport(name, stage.kind, before, len(kept), tasks, is_cached, dropped, facts))
    return Curated(rows, kept, reports, parts)


def content_key(rows: Rows) -> str:
    """A hash of all bytes of all files, from the hashes of their blocks."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=16)
    for path, _, segments in rows.parts:
        digest.update(f"\0{path}\0".encode())
        for segment in segments:
            digest.update(segment.hash.encode())
    return digest.hexdigest()


def stage_key(before: str, stage: Stage, around: Surroundings) -> str:
    """A hash of the rows a stage gets, its settings, its seed and the content of the files it reads."""
    kind = type(stage)
    settings = stage.model_dump_json() if isinstance(stage, BaseModel) else repr(stage)
    digest = hashlib.blake2b(f"{before}\0{kind.__module__}.{kind.__name__}\0{settings}".encode(), digest_size=16)
    digest.update(str(around.seed).encode())
    for path in stage.files(around.folder):
        digest.update(path.read_bytes() if path.is_file() else b"missing")
    return digest.hexdigest()


def cached_outcome(path: Path | None) -> Outcome | None:
    if path is None or not path.is_file():
        return None
    try:
        content = decode(path.read_bytes())
        kept = np.load(path.with_suffix(".npy"), allow_pickle=False)
        dropped = [Dropped(**entry) for entry in content["dropped"]]
        return Outcome(kept, dropped, content["facts"], content["parts"])
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        # A cache that was cut short is no cache.
        return None


def store_outcome(path: Path | None, outcome: Outcome) -> None:
    if path is None:
        return
    path.parent.mkdir(exist_ok=True)
    with replacing(path.with_suffix(".npy")) as file:
        np.save(file, outcome.kept, allow_pickle=False)
    dropped = [asdict(entry) for entry in outcome.dropped]
    with replacing(path) as file:
        file.write(encode({"dropped": dropped, "facts": dict(outcome.facts), "parts": list(outcome.parts)}))
    stored = sorted(path.parent.glob("*.json"), key=lambda entry: entry.stat().st_mtime)
    for old in stored[:-CACHED_STAGES]:
        old.unlink(missing_ok=True)
        old.with_suffix(".npy").unlink(missing_ok=True)
