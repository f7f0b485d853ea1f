"""Finding the answer in a reply: after the reasoning, in a box, behind a label."""

import re
from collections.abc import Mapping
from typing import Any, cast

from palestra.core.transcript import content_text

OPEN_REASONING = "<think>"
CLOSE_REASONING = "</think>"
REASONING = re.compile(f"{OPEN_REASONING}.*?(?:{CLOSE_REASONING}|\\Z)", re.DOTALL)

BRACES = re.compile(r"\\boxed\s*\{|\\.|\{|\}", re.DOTALL)
TEXT_MACROS = frozenset({"text", "textbf", "textit", "textrm", "mathrm", "mathbf", "mathit", "mbox", "bf", "rm"})
MACRO_OR_BRACE = re.compile(r"\\([a-z]+)\s*\{|\\.|\{|\}", re.DOTALL)


def without_reasoning(text: str) -> str:
    """The reply without `<think>` blocks. What follows an unclosed one is reasoning too; so is what precedes a lone
    `</think>` (some chat templates open the block in the prompt)."""
    if OPEN_REASONING in text:
        text = REASONING.sub("", text)
    return text.rpartition(CLOSE_REASONING)[2]


def without_leading_reasoning(text: str) -> str:
    """The same for replies that may hold these tags as data, such as documents and programs: reasoning comes first."""
    leads = text.lstrip().startswith(OPEN_REASONING) or (CLOSE_REASONING in text and OPEN_REASONING not in text)
    return without_reasoning(text) if leads else text


def boxed(text: str) -> list[str]:
    r"""The contents of all balanced `\boxed{...}`, outermost only, in order. Linear in the length of the text."""
    spans: list[tuple[int, int]] = []
    open_braces: list[tuple[int, bool]] = []
    for match in BRACES.finditer(text):
        token = match[0]
        if token == "}" and open_braces:
            start, is_box = open_braces.pop()
            if is_box:
                # A box that closes around others takes their place.
                while spans and spans[-1][0] > start:
                    spans.pop()
                spans.append((start, match.start()))
        elif token == "{" or len(token) > 2:
            open_braces.append((match.end(), token != "{"))
    return [text[start:end] for start, end in spans]


def last_boxed(text: str) -> str | None:
    r"""The content of the last balanced `\boxed{...}`."""
    found = boxed(text)
    return found[-1] if found else None


def without_text_macros(text: str) -> str:
    r"""The text with `\text{...}` and its like, also nested ones, replaced by their content. Linear in the length."""
    kept: list[str] = []
    is_macro: list[bool] = []
    position = 0
    for match in MACRO_OR_BRACE.finditer(text):
        token = match[0]
        drop = False
        if token == "}":
            drop = bool(is_macro) and is_macro.pop()
        elif token == "{" or len(token) > 2:
            drop = match[1] in TEXT_MACROS
            is_macro.append(drop)
        kept.append(text[position : match.start() if drop else match.end()])
        position = match.end()
    return "".join(kept) + text[position:]


def labelled(text: str, label: str = "answer") -> list[str]:
    """What stands behind each `label:` up to the end of its line, markdown emphasis removed."""
    lines = re.findall(rf"(?im)^.*?\b{re.escape(label)}\**[ \t]*:[ \t]*(.*)$", text)
    return [line.strip().strip("*_` ").strip() for line in lines]


def tagged(text: str, tag: str = "answer") -> str | None:
    """The stripped content of the last `<tag>...</tag>` pair, which may span lines."""
    end = text.rfind(f"</{tag}>")
    start = text.rfind(f"<{tag}>", 0, end) if end >= 0 else -1
    return text[start + len(tag) + 2 : end].strip() if start >= 0 else None


def message_parts(item: Mapping[str, Any]) -> list[str]:
    """The texts of a message, one for each part of its content. Refusals are not text."""
    content = item.get("content")
    parts = cast("list[Any]", content) if isinstance(content, list) else [content]
    return [text for part in parts if (text := content_text([part] if isinstance(part, dict) else part))]
