"""The code blocks of a page: their language, their text, and the marks that stand in comments before them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

MARK = re.compile(r"^\s*(?:%|<!--)\s*([a-z][a-z-]*)(?::\s*(.*?))?\s*(?:-->)?\s*$")
DIRECTIVE = re.compile(r"^\{([\w:-]+)\}\s*(.*)$")
CODE_DIRECTIVES = ("code-block", "code", "sourcecode")
NOT_CODE = ("literalinclude", "eval-rst", "toctree", "raw", "image", "figure")
"""Directives whose content is no example: what they include is checked by the build, or by a test of its own."""

MARKS = frozenset({"no-run", "output", "file", "fails", "schema"})


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    """Of the opening fence, from 1."""
    end_line: int
    """Of the closing fence."""
    language: str
    text: str
    marks: dict[str, str]
    """`% no-run: reason`, `% output`, `% file: path`, `% fails: exit code`, `% schema: name` before the fence."""

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """All code blocks of a page in order, those inside directives included. Raises ValueError for an unknown mark."""
    text = page.read_text(encoding="utf-8")
    return list(found_in(page, text.splitlines(), text, 0))


def found_in(page: Path, lines: list[str], text: str, offset: int) -> Iterator[Block]:
    for token in MarkdownIt("commonmark").parse(text):
        if token.type != "fence" or token.map is None:
            continue
        first, last = token.map[0] + offset, token.map[1] + offset
        directive = DIRECTIVE.match(token.info.strip())
        if directive is None or directive[1] in CODE_DIRECTIVES:
            language = directive[2] if directive else token.info.strip().partition(" ")[0]
            content = without_options(token.content) if directive else token.content
            yield Block(page, first + 1, last, language, content, marks_before(page, lines, first))
        elif directive[1] not in NOT_CODE:
            yield from found_in(page, lines, token.content, first + 1)


def without_options(content: str) -> str:
    return re.sub(r"\A(?::[\w-]+:.*\n)+\n?", "", content)


def marks_before(page: Path, lines: list[str], fence: int) -> dict[str, str]:
    """The marks in the comments that end right above a fence."""
    marks: dict[str, str] = {}
    while fence > 0 and (found := MARK.match(lines[fence - 1])):
        if found[1] not in MARKS:
            raise ValueError(f"{page.name}:{fence}: no mark is named {found[1]!r}; there are {sorted(MARKS)}")
        marks[found[1]] = found[2] or ""
        fence -= 1
    return marks
