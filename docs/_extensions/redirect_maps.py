"""Writes the redirects of `rediraffe_redirects` for servers: its own pages answer 200 and leave it to the browser."""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", write_maps)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_maps(app: Sphinx, error: Exception | None) -> None:
    """`_redirects` (one `FROM TO 301` a line, as static hosts read it) and `redirects.map` (for nginx's `map`)."""
    if error is not None or app.builder.format != "html":
        return
    pairs = sorted((address(old), address(new)) for old, new in app.config.rediraffe_redirects.items())
    folder = Path(app.outdir)
    (folder / "_redirects").write_text("".join(f"{old} {new} 301\n" for old, new in pairs), encoding="utf-8")
    (folder / "redirects.map").write_text("".join(f"{old} {new};\n" for old, new in pairs), encoding="utf-8")


def address(page: str) -> str:
    return f"/{page}.html"
