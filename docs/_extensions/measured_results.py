"""The role {result}`NAME CASE FIELD [in_flight=N]`: a measured number from bench/results, never one typed by hand."""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

RESULTS = Path(__file__).parents[2] / "bench" / "results"


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("results_folder", str(RESULTS), "env")
    app.connect("builder-inited", add_role)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def add_role(app: Sphinx) -> None:
    folder = Path(app.config.results_folder)

    def role(
        name: str, rawtext: str, text: str, lineno: int, inliner: Inliner, options: Any = None, content: Any = None
    ) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        # A number that cannot be shown must end the build: a page with a hole would lie by omission.
        node = nodes.inline(rawtext, measured(folder, text), classes=["measured"])
        node["title"] = origin(folder, text)
        return [node], []

    app.add_role("result", role, override=True)


def measured(folder: Path, text: str) -> str:
    """The value as shown: four significant digits. Raises ExtensionError if there is no such measurement."""
    row, field = find(folder, text)
    value = row[field]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def origin(folder: Path, text: str) -> str:
    row, _ = find(folder, text)
    return f"{row.get('date', '?')}, {row.get('machine', '?')}, commit {str(row.get('commit', '?'))[:10]}"


def find(folder: Path, text: str) -> tuple[dict[str, Any], str]:
    """The row that a role's text names, in the newest file of its name."""
    words = text.split()
    if len(words) < 3:
        raise ExtensionError(f"{{result}}`{text}` must be NAME CASE FIELD [key=value ...]")
    name, case, field, *conditions = words
    # Names end in an ISO date, so the last in order is the newest.
    files = sorted(path for path in folder.glob(f"{name}-*.json") if path.stem[len(name) + 1 :][:4].isdigit())
    if not files:
        raise ExtensionError(f"{{result}}`{text}`: no file {folder}/{name}-DATE.json")
    wanted = dict(condition.partition("=")[::2] for condition in conditions)
    rows = [row for row in json.loads(files[-1].read_text(encoding="utf-8")) if row.get("case") == case]
    rows = [row for row in rows if all(str(row.get(key)) == value for key, value in wanted.items())]
    if len(rows) != 1 or row_lacks(rows[0], field):
        found = f"{len(rows)} rows" if len(rows) != 1 else f"a row without {field!r}"
        raise ExtensionError(f"{{result}}`{text}`: {files[-1].name} has {found} for it")
    return rows[0], field


def row_lacks(row: dict[str, Any], field: str) -> bool:
    return row.get(field) is None
