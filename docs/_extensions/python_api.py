"""What the generated Python reference needs: docstrings as they are written, names found where they are public."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

import palestra

CODE = re.compile(r"(?<![`:])`([^`\n]+)`(?!`)")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", mark_code)
    app.connect("missing-reference", find_public)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mark_code(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """`name` is code, not reStructuredText's interpreted text. Changes `lines` in place, as the event demands."""
    lines[:] = [CODE.sub(r"``\1``", line) if "``" not in line else line for line in lines]


def find_public(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> nodes.Element | None:
    """Annotations name `palestra.core.context.Context`; the page documents `palestra.Context`."""
    target = str(node.get("reftarget", ""))
    name = target.rpartition(".")[2]
    if not target.startswith("palestra.") or name not in palestra.__all__:
        return None
    domain, page = env.domains.python_domain, env.current_document.docname or node.get("refdoc")
    return domain.resolve_xref(env, page, app.builder, "obj", f"palestra.{name}", node, contnode)
