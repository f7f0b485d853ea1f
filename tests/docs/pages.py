"""The pages of the documentation, and those of the repository's root."""

from pathlib import Path

from tests.conftest import ROOT

DOCS = ROOT / "docs"
NO_PAGES = ("_build", "examples", "generation")

DOCUMENTS = sorted(path for path in DOCS.rglob("*.md") if not set(path.relative_to(DOCS).parts) & set(NO_PAGES))
PAGES = [*DOCUMENTS, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
HOW_TO = [path for path in DOCUMENTS if path.parent.name == "how-to" and path.name != "index.md"]


def name_of(page: Path) -> str:
    return str(page.relative_to(DOCS if page.is_relative_to(DOCS) else ROOT))
