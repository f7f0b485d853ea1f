"""The words after a command: `+a.b=value`, `++a=value`, `a=value` and `~a`, in Hydra's grammar."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from palestra.compat.secrets import masked_word
from palestra.compat.values import ValueReader, written_value
from palestra.core.errors import PalestraError

Operation: TypeAlias = Literal["set", "change", "delete"]
"""`+a=1` and `++a=1` set a key, `a=1` changes one that is there, `~a` deletes one."""

PREFIXES: tuple[tuple[str, Operation], ...] = (("++", "set"), ("+", "set"), ("~", "delete"), ("", "change"))
SEGMENT = re.compile(r"[A-Za-z_][\w-]*|\d+")
INDEX = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Override:
    """One word: what it does to which key."""

    path: tuple[str, ...]
    """The key and those around it, from the outermost; positions in lists are digits."""
    operation: Operation
    value: Any
    """What is set; for `delete` what the key must hold, or `ANYTHING`."""
    word: str
    """As it was given."""

    @property
    def key(self) -> str:
        return ".".join(self.path)


ANYTHING = object()
"""`~a` deletes a key whatever it holds."""


def read_overrides(words: Iterable[str]) -> list[Override]:
    """Raises PalestraError naming the word and the place that cannot be read."""
    return [read_override(word) for word in words if word.strip()]


def read_override(word: str) -> Override:
    prefix, operation = next(pair for pair in PREFIXES if word.startswith(pair[0]))
    key, equals, text = word[len(prefix) :].partition("=")
    if not equals and operation != "delete":
        fix = f"Write {prefix or '+'}{key or 'KEY'}=VALUE, or ~{key or 'KEY'} to delete it."
        raise PalestraError("usage", f"{word!r} is no override: it has no value", fix=fix)
    path = read_path(key.strip(), word)
    return Override(path, operation, read_value(text, word) if equals else ANYTHING, word)


def read_path(key: str, word: str) -> tuple[str, ...]:
    segments = INDEX.sub(r".\1", key).split(".")
    for segment in segments:
        if SEGMENT.fullmatch(segment) is None:
            message = f"{masked_word(word)!r}: {segment!r} of {key!r} is no key"
            fix = "Keys are letters, digits, _ and -, joined by dots; items of a list have their position, from 0."
            raise PalestraError("usage", message, fix=fix)
    return tuple(segments)


def read_value(text: str, word: str | None = None) -> Any:
    """A value as it is written after `=`. Raises PalestraError with the place that is wrong."""
    reader = ValueReader(text)
    try:
        return reader.read()
    except ValueError as error:
        shown = masked_word(word or text)
        rest = f" at {text[reader.position : reader.position + 20]!r}" if shown == (word or text) else ""
        fix = "Put text with brackets, commas or quotes into 'single quotes', and quote the word for the shell."
        raise PalestraError("usage", f"{shown!r}: {error}{rest}", fix=fix) from error


def written(path: Sequence[str], value: Any) -> str:
    """The word that sets a key to a value: what `read_override` reads back."""
    return f"++{'.'.join(path)}={written_value(value)}"
