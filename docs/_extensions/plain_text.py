"""Beside each HTML page its text as plain Markdown, and llms.txt, which lists them: for readers that are programs."""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

TARGET = re.compile(r"^\([\w-]+\)=\s*$")
INLINE_ID = re.compile(r"(?<=[`\]])\{#[\w-]+\}")
DIRECTIVE = re.compile(r"^(:{3,}|`{3,})\{([\w:-]+)\}\s*(.*)$")
SHOWN_INCLUDES = ("literalinclude",)
DROPPED = ("toctree", "eval-rst", "raw", "image")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", write_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_texts(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    lines = ["# Palestra", "", "> Environments, verifiers and rollouts that make training data you can trust.", ""]
    for page in sorted(app.env.found_docs):
        source = Path(app.env.doc2path(page))
        text = plain(source.read_text(encoding="utf-8"), source.parent)
        target = Path(app.outdir) / f"{page}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        lines.append(f"- [{app.env.titles[page].astext()}]({page}.md): {first_sentence(text)}")
    (Path(app.outdir) / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def first_sentence(text: str) -> str:
    """The first sentence that is neither heading, list, table nor code."""
    for paragraph in re.sub(r"```.*?```", "", text, flags=re.DOTALL).split("\n\n"):
        words = " ".join(paragraph.split())
        if words and not words.startswith(("#", "|", "-", "<", "```")):
            return words.split(". ")[0].rstrip(".").removeprefix("**").replace("**", "") + "."
    return ""


def plain(text: str, folder: Path) -> str:
    """MyST as plain Markdown: directives become their title and content, included files their text."""
    result: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        found = DIRECTIVE.match(line)
        if found is None:
            if not line.lstrip().startswith("% ") and not TARGET.match(line) and not re.fullmatch(r":{3,}", line):
                result.append(INLINE_ID.sub("", line))
            continue
        fence, name, argument = found.groups()
        if name in SHOWN_INCLUDES:
            included = folder / argument
            result += [f"```{included.suffix.lstrip('.')}", included.read_text(encoding="utf-8").rstrip(), "```"]
            skip_until(lines, fence)
        elif name in DROPPED:
            skip_until(lines, fence)
        elif name == "code-block":
            result.append(f"```{argument}")
        else:
            result += [f"**{argument}**", ""] if argument and not argument.isdigit() else []
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line for line in result if not line.startswith(":"))).strip() + "\n"


def skip_until(lines: Any, fence: str) -> None:
    for line in lines:
        if line.rstrip() == fence:
            return
