"""Constraints on form: lists, sections, marks, JSON."""

import json
import re
from types import MappingProxyType
from typing import Any, NoReturn

from .arguments import Count, Text, pattern_of
from .splitting import enclosed, ruled_sentences

CHOICES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
ITALIC = re.compile(r"\*([^\n*]*)\*")
BOLD = re.compile(r"\*\*([^\n*]*)\*\*")
POSTSCRIPTS = MappingProxyType({"P.P.S": re.compile(r"p\.\s?p\.\s?s"), "P.S.": re.compile(r"p\.\s?s\.")})
FENCES = ("```json", "```Json", "```JSON", "```")


def placeholders(text: str, *, num_placeholders: Count) -> bool:
    """At least so many `[placeholders]`, none of them empty."""
    return sum(bool(inside.strip()) for inside in enclosed(text, "[", "]")) >= num_placeholders


def postscript(text: str, *, postscript_marker: Text) -> bool:
    """There is a postscript with this marker."""
    pattern = POSTSCRIPTS.get(postscript_marker.strip())
    lowered = text.lower()
    return pattern.search(lowered) is not None if pattern else postscript_marker.strip().lower() in lowered


def bullets(text: str, *, num_bullets: Count) -> bool:
    """Exactly so many lines begin with `*` or `-`."""
    lines = [line.lstrip() for line in text.split("\n")]
    return (
        sum(line.startswith("-") or (line[:1] == "*" and line[1:2] not in {"", "*"}) for line in lines) == num_bullets
    )


def highlights(text: str, *, num_highlights: Count) -> bool:
    """At least so many parts stand between `*`."""
    italic = sum(bool(inside.strip()) for inside in ITALIC.findall(text))
    return italic + sum(bool(inside.strip()) for inside in BOLD.findall(text)) >= num_highlights


def sections(text: str, *, section_spliter: Text, num_sections: Count) -> bool:
    """At least so many times the word that begins a section, with a number behind it."""
    marker = pattern_of(section_spliter.strip(), r"{}\s?\d+", re.NOFLAG)
    return sum(1 for _ in marker.finditer(text)) >= num_sections


def constrained_response(text: str) -> bool:
    """The reply holds one of three sentences (my answer is yes, no, maybe), and no other of them."""
    return sum(choice in text for choice in CHOICES) == 1


def without_fences(text: str) -> str:
    stripped = text.strip()
    for fence in FENCES:
        stripped = stripped.removeprefix(fence)
    return stripped.removesuffix("```").strip()


def is_json(text: str) -> bool:
    """The whole reply, but for a code fence, is a JSON object or array."""
    try:
        value = json.loads(without_fences(text), parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict | list)


def refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def title(text: str) -> bool:
    """There is a `<<title>>` on a line of its own or within one."""
    for line in text.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end and line[start:end].lstrip("<").rstrip(">").strip():
            return True
    return False


def sentence_hyphens(text: str) -> bool:
    """Sentences are joined by hyphens without spaces."""
    return text.split("-") == ruled_sentences(text.replace("-", " "))


def square_brackets(text: str) -> bool:
    """Each word stands in square brackets."""
    return all(word[0] == "[" and word[-1] == "]" for word in text.split())


def bigrams(text: str) -> bool:
    """Words stand in double angular brackets two by two; a last odd one may stand alone."""
    words = text.split()
    return len(words) > 1 and wrapped_pairs(words)


def wrapped_pairs(words: list[str]) -> bool:
    pairs = zip(words[::2], words[1::2], strict=False)
    return all(first.startswith("<<") and second.endswith(">>") for first, second in pairs)


def parsed(text: str) -> Any:
    """The reply as Python's own parser reads it, which takes NaN too. Raises ValueError, RecursionError."""
    return json.loads(without_fences(text))
