"""The lineage of a file, walked both ways: what it was made from, and what was made from it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError, describe
from palestra.data.content import Content, content_of_path
from palestra.data.lineage import read_sidecar, sidecar_of
from palestra.data.registry import FOLDER, Registry
from palestra.store.paths import FAILURES, INPUTS, RunPaths

RUN = "_run.json"


@dataclass(slots=True)
class Step:
    """One making: an operation, its settings, and the files on its other side."""

    operation: str
    config: dict[str, Any]
    palestra: str | None
    """The version of the code."""
    files: list["Node"] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "operation": self.operation,
            "config": self.config,
            "palestra": self.palestra,
            "files": [node.to_json() for node in self.files],
        }


@dataclass(slots=True)
class Node:
    """A file or folder with the content that it had then."""

    path: str
    sha256: str
    rows: int | None
    state: str = "as recorded"
    """`as recorded`, `changed` since, or `missing`."""
    versions: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    """Upwards how it was made, downwards what was made with it."""

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "sha256": self.sha256,
            "rows": self.rows,
            "state": self.state,
            "versions": self.versions,
            "steps": [step.to_json() for step in self.steps],
        }


class Tracer:
    """Walks the records of one project. Each file that is met is hashed once."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.contents: dict[str, Content | None] = {}

    def content(self, path: str) -> Content | None:
        """What is at a path now; None if nothing is."""
        if path not in self.contents:
            self.contents[path] = content_of_path(Path(path)) if Path(path).exists() else None
        return self.contents[path]

    def node(self, entry: dict[str, Any]) -> Node:
        now = self.content(entry["path"])
        state = "missing" if now is None else "as recorded" if now.sha256 == entry["sha256"] else "changed"
        labels = [version.label for version in self.registry.versions(sha256=entry["sha256"])]
        return Node(entry["path"], entry["sha256"], entry.get("rows"), state, labels)

    def made_from(self, entry: dict[str, Any], above: frozenset[str] = frozenset()) -> Node:
        """The file with all steps that made it, up to what nothing is known of."""
        node = self.node(entry)
        # A file may be made of itself, as an edit in place is.
        for record in self.makings(entry):
            if record["id"] not in above:
                files = [self.made_from(source, above | {record["id"]}) for source in record["inputs"]]
                node.steps.append(Step(record["operation"], record["config"], record.get("palestra"), files))
        return node

    def makings(self, entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        sidecar = read_sidecar(sidecar_of(Path(entry["path"])))
        if sidecar is not None and sidecar["output"]["sha256"] == entry["sha256"]:
            found[sidecar["id"]] = sidecar
        for record in self.registry.made(entry["sha256"]):
            found.setdefault(record["id"], record)
        yield from found.values()
        yield from runs_of(Path(entry["path"]))

    def made_with(self, entry: dict[str, Any], above: frozenset[str] = frozenset()) -> Node:
        """The file with all steps that used it, down to what nothing was made of."""
        node = self.node(entry)
        for record in [*self.registry.used(entry["sha256"], entry["path"]), *self.runs_with(entry)]:
            if record["id"] not in above:
                below = self.made_with(record["output"], above | {record["id"]})
                node.steps.append(Step(record["operation"], record["config"], record.get("palestra"), [below]))
        return node

    def descriptions(self, folder: Path) -> list[Path]:
        """The descriptions of all runs of the project; without a project, those in the folder."""
        if self.registry.path.parent.name == FOLDER and self.registry.path.parent.is_dir():
            return sorted(self.registry.path.parent.parent.rglob(f"*{RUN}"))
        return sorted(folder.glob(f"*{RUN}"))

    def runs_with(self, entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The runs of the project that played the file."""
        for description in self.descriptions(Path(entry["path"]).parent):
            rollouts = description.with_name(description.name.removesuffix(RUN) + ".jsonl")
            if not rollouts.exists():
                continue
            for record in runs_of(rollouts):
                if any(entry["sha256"] == each["sha256"] or entry["path"] == each["path"] for each in record["inputs"]):
                    now = self.content(str(rollouts.resolve()))
                    yield {**record, "output": placed(now)} if now else record


def runs_of(path: Path) -> Iterator[dict[str, Any]]:
    """The run that wrote a file, as a record of collection; none if it is no file of a run."""
    rollouts = path
    for suffix in (FAILURES, INPUTS):
        if path.name.endswith(suffix):
            rollouts = path.with_name(path.name.removesuffix(suffix) + ".jsonl")
    description = RunPaths(rollouts).run
    if not description.is_file():
        return
    try:
        run = json.loads(description.read_bytes())
        tasks = run.get("tasks", [])
        inputs = [
            {**each["input"], "path": str((path.parent / each["input"]["path"]).resolve())}
            for each in tasks
            if "input" in each
        ]
        config = {"environments": run["environments"], "tasks": tasks}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PalestraError("registry-unusable", f"{description} is damaged: {describe(error)}") from error
    identity = f"run:{description.resolve()}"
    yield {"id": identity, "operation": "collect", "config": config, "palestra": run.get("palestra"), "inputs": inputs}


def placed(content: Content) -> dict[str, Any]:
    return {**content.to_json(), "path": str(content.path.resolve())}


def lineage(path: Path, registry: Registry | None = None) -> tuple[Node, Node]:
    """What a file was made from, and what was made with it. Raises PalestraError if it cannot be read."""
    tracer = Tracer(registry or Registry.near(path))
    entry = placed(content_of_path(path))
    return tracer.made_from(entry), tracer.made_with(entry)
