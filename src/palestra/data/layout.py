"""The folders of a dataset project, and the files that explain them."""

from pathlib import Path
from types import MappingProxyType

from palestra.core.errors import PalestraError
from palestra.data.registry import FOLDER
from palestra.store.paths import writing

FOLDERS = MappingProxyType(
    {
        "raw": "what was downloaded, as it came; never edited",
        "mappings": "how raw rows become tasks, one TOML file each",
        "tasks": "task rows: train.jsonl, validation.jsonl, example.jsonl",
        "prepared": "what `palestra data prepare` wrote",
        "rollouts": "what `palestra collect` wrote, with the files beside it",
        "curated": "what `palestra curate` kept",
        "exports": "what `palestra export` wrote, one folder each",
        FOLDER: "the registry of versions and lineage",
    }
)

IGNORED = """# Data stays out of git; what says which data it was (*.version.json, *.lineage.json) goes in.
raw/*
tasks/*
prepared/*
rollouts/*
curated/*
exports/*
!*.version.json
!*.lineage.json
!.gitkeep
.palestra/*
!.palestra/.gitkeep
"""

DATASETS = """# For `palestra data prepare datasets.toml`. Paths start at the current folder.
# type is train, validation or example; train and validation need a license.

[[datasets]]
agent = "word_problems_simple_agent"
name = "example"
type = "example"
jsonl_fpath = "tasks/example.jsonl"
"""


def readme() -> str:
    rows = "\n".join(f"- `{name}/`: {meaning}." for name, meaning in FOLDERS.items())
    return (
        "# Datasets\n\n"
        f"{rows}\n\n"
        "File names: lower case letters, digits, `_` and `-`, ending in `.jsonl`; the split's name for splits\n"
        "(`train.jsonl`), the environment and the model for rollouts (`mcqa-qwen3_8b.jsonl`).\n"
    )


def make_layout(folder: Path) -> list[Path]:
    """Make the folders and files that are not there yet; what was made. Nothing that is there is changed."""
    if folder.exists() and not folder.is_dir():
        raise PalestraError("output-exists", f"{folder} is a file", fix="Name a folder.")
    made: list[Path] = []
    files = {"README.md": readme(), ".gitignore": IGNORED, "datasets.toml": DATASETS}
    files.update({f"{name}/.gitkeep": "" for name in FOLDERS})
    with writing(folder):
        for name, text in files.items():
            path = folder / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                made.append(path)
    return made
