"""Values in Hydra's grammar of overrides: text, numbers, lists and dicts, read and written."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

DEEPEST = 64
"""How deep lists and dicts may lie in each other."""

CONSTANTS: tuple[tuple[str, Any], ...] = (("null", None), ("true", True), ("false", False))
INTEGER = re.compile(r"[+-]?(0|[1-9](_?\d)*)")
FLOAT = re.compile(
    r"[+-]?(\d(_?\d)*\.(\d(_?\d)*)?|\.\d(_?\d)*)([eE][+-]?\d+)?|[+-]?\d(_?\d)*[eE][+-]?\d+|[+-]?(inf|nan)",
    re.IGNORECASE,
)
FUNCTION = re.compile(r"[A-Za-z_]\w*\(")
PLAIN = re.compile(r"[A-Za-z_./][\w./@:+-]*")
"""Text that needs no quotes."""
ESCAPES = "\\()[]{}:=, \t"
"""What a backslash takes its meaning from in text without quotes."""


class ValueReader:
    """Reads one value; `position` is where it stands, also after an error."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def read(self) -> Any:
        """The whole text as a value. Raises ValueError."""
        self.skip_space()
        value = self.value("", 0)
        self.skip_space()
        if self.position < len(self.text):
            raise ValueError("a comma is no sweep here: lists stand in [ ]" if self.at(",") else "there is more text")
        return value

    def at(self, character: str) -> bool:
        return self.text.startswith(character, self.position)

    def skip_space(self) -> None:
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1

    def value(self, ends: str, depth: int) -> Any:
        """A value up to one of `ends`, or up to the end of the text if there are none."""
        if depth > DEEPEST:
            raise ValueError(f"lists and dicts lie deeper than {DEEPEST} in each other")
        if self.at("["):
            return self.list(depth)
        if self.at("{"):
            return self.dict(depth)
        if self.at("'") or self.at('"'):
            return self.quoted()
        return self.unquoted(ends)

    def list(self, depth: int) -> list[Any]:
        found: list[Any] = []
        self.open()
        while not self.closes("]", found):
            found.append(self.value(",]", depth + 1))
        return found

    def dict(self, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        self.open()
        while not self.closes("}", found):
            key = self.quoted() if self.at("'") or self.at('"') else self.unquoted(":,}")
            self.skip_space()
            if not self.at(":"):
                raise ValueError("a key of a dict needs ':' and a value")
            self.open()
            found[key] = self.value(",}", depth + 1)
        return found

    def open(self) -> None:
        self.position += 1
        self.skip_space()

    def closes(self, bracket: str, found: Sequence[Any] | Mapping[Any, Any]) -> bool:
        """Whether the list or dict ends here; passes the comma before its next item if not."""
        self.skip_space()
        if self.at(bracket):
            self.position += 1
            return True
        if self.position >= len(self.text):
            raise ValueError(f"{bracket!r} is missing")
        if found:
            if not self.at(","):
                raise ValueError(f"',' or {bracket!r} is missing")
            self.open()
        return False

    def quoted(self) -> str:
        quote, start = self.text[self.position], self.position + 1
        # Backslashes mean something only before the quote: each pair is one, and one that is left over escapes it.
        for found in re.compile(rf"(\\*){quote}").finditer(self.text, start):
            if len(found[1]) % 2 == 0:
                self.position = found.end()
                return unescaped(self.text[start : found.end() - 1], quote)
        raise ValueError(f"the quote {quote} is not closed")

    def unquoted(self, ends: str) -> Any:
        start, parts, escapes = self.position, list[str](), False
        while self.position < len(self.text) and self.text[self.position] not in (ends or ","):
            character = self.text[self.position]
            if self.at("${"):
                parts.append(self.interpolation())
            elif character == "\\" and self.text[self.position + 1 : self.position + 2] in tuple(ESCAPES):
                parts.append(self.text[self.position + 1])
                escapes = True
                self.position += 2
            elif character in "[]{}":
                raise ValueError("brackets in text need quotes")
            else:
                parts.append(character)
                self.position += 1
        if FUNCTION.match(self.text, start):
            self.position = start
            raise ValueError("functions are not known here; text with parentheses needs quotes")
        text = "".join(parts)
        if not text.strip() and ends:
            raise ValueError("a value is missing")
        return text if escapes else typed(text.strip())

    def interpolation(self) -> str:
        """`${...}` as it stands, with those inside it."""
        start, depth = self.position, 0
        for found in re.compile(r"\$\{|\{|\}").finditer(self.text, start):
            depth += -1 if found[0] == "}" else 1
            if depth == 0:
                self.position = found.end()
                return self.text[start : self.position]
        raise ValueError("'}' of '${' is missing")


def unescaped(text: str, quote: str) -> str:
    def halved(found: re.Match[str]) -> str:
        return "\\" * (len(found[1]) // 2) + found[2]

    return re.sub(rf"(\\+)({quote}|\Z)", halved, text)


def typed(text: str) -> Any:
    """What text without quotes stands for."""
    for name, value in CONSTANTS:
        if text.lower() == name:
            return value
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text


def written_value(value: Any) -> str:
    """A value as `ValueReader` reads it. Raises TypeError for what it cannot hold."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) and typed(value) == value else quoted_text(value)
    if isinstance(value, Mapping):
        pairs = (f"{written_value(key)}:{written_value(entry)}" for key, entry in value.items())
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, Sequence):
        return f"[{','.join(map(written_value, value))}]"
    raise TypeError(f"{type(value).__name__} cannot be written in an override: {value!r}")


def quoted_text(text: str) -> str:
    doubled = re.sub(r"(\\+)('|\Z)", lambda found: found[1] * 2 + found[2], text)
    return "'" + re.sub(r"(?<!\\)((?:\\\\)*)'", r"\1\\'", doubled) + "'"
