"""Beside each HTML page its text as plain Markdown, and llms.txt, which lists them: for readers that are programs."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

TARGET = re.compile(r"^\([\w-]+\)=\s*$")
INLINE_ID = re.compile(r"(?<=[`\]])\{#[\w-]+\}")
DIRECTIVE = re.compile(r"^(:{3,}|`{3,})\{([\w:-]+)\}\s*(.*)$")
SHOWN_INCLUDES = ("literalinclude",)
DROPPED = ("toctree", "raw", "image")
MODULES = re.compile(r"~|\b(?:collections\.abc|typing|palestra(?:\.\w+)+)\.(?=[A-Z])")
AUTO = re.compile(r"^\.\. [\w:]+:: (palestra[\w.]*)$")


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
            list(taken_until(lines, fence))
        elif name == "eval-rst":
            for inner in taken_until(lines, fence):
                documented = AUTO.match(inner)
                result += described(documented[1]) if documented else [inner.strip()]
        elif name in DROPPED:
            list(taken_until(lines, fence))
        elif name == "code-block":
            result.append(f"```{argument}")
        else:
            result += [f"**{argument}**", ""] if argument and not argument.isdigit() else []
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line for line in result if not line.startswith(":"))).strip() + "\n"


def taken_until(lines: Iterator[str], fence: str) -> Iterator[str]:
    """The lines of a block, up to and without its closing fence."""
    for line in lines:
        if line.rstrip() == fence:
            return
        yield line


def described(path: str) -> Iterator[str]:
    """A name of the package with its signature and docstring, and its public methods with theirs."""
    module, _, name = path.rpartition(".")
    value = getattr(importlib.import_module(module), name)
    if not callable(value) or not str(getattr(value, "__module__", "")).startswith("palestra"):
        return
    yield from (f"`{signature(name, value)}`", "", inspect.getdoc(value) or "", "")
    for member, method in vars(value).items() if inspect.isclass(value) else ():
        function = getattr(method, "__func__", method)
        if not member.startswith("_") and inspect.isfunction(function):
            text = " ".join((inspect.getdoc(function) or "").split())
            yield from (f"- `{signature(member, function)}`: {text}".removesuffix(": "), "")


def signature(name: str, value: Any) -> str:
    return f"{name}{MODULES.sub('', str(inspect.signature(value)))}"
