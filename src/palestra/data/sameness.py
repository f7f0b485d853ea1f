"""When two rows are the same: the same content, or prompts that differ only in writing."""

import re
import unicodedata
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from palestra.core.task import content_hash, content_of
from palestra.core.transcript import content_text
from palestra.data.adapters.mapping import looked_up
from palestra.wire.rows import PARAMS

NOT_LETTERS = re.compile(r"[\W_]+")
BESIDE_NUMBERS = "-*/%"
ROLLOUT_FIELDS = frozenset({"response", "reward"})


def exact_identity(row: Mapping[str, Any]) -> bytes:
    """16 bytes for the task of a row: a rollout has that of the task it is about."""
    own = row.get("palestra")
    stored = own.get("task_hash") if isinstance(own, dict) else None
    if isinstance(stored, str) and len(stored) == 32:
        return bytes.fromhex(stored)
    return bytes.fromhex(content_hash({name: row[name] for name in row if name not in ROLLOUT_FIELDS}))


def normalised_identity(row: Mapping[str, Any]) -> bytes:
    """16 bytes for the prompt of a row, whatever its case, spacing and punctuation; without one, for all its texts."""
    return digest(normalised(prompt_text(row) or " ".join(texts(content_of(row)))) or content_hash(row))


def field_identity(row: Mapping[str, Any], field: str) -> bytes:
    """16 bytes for the value of a field. Raises ValueError if the row has none."""
    return digest(content_hash({"value": looked_up(row, field)}))


def digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def normalised(text: str) -> str:
    """A text in one form of Unicode and one case, without punctuation and with single spaces.

    Signs of mathematics and money are kept, and beside a number also - * / %: `5 - 3` is not `5 + 3`. A text without
    anything else, as some puzzles are, keeps its punctuation.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return NOT_LETTERS.sub(signs, folded).strip() or " ".join(folded.split())


def signs(found: re.Match[str]) -> str:
    start, end = found.span()
    by_number = (start > 0 and found.string[start - 1].isdigit()) or found.string[end : end + 1].isdigit()
    kept = [sign for sign in found[0] if is_sign(sign) or (by_number and sign in BESIDE_NUMBERS)]
    return f" {' '.join(kept)} " if kept else " "


def is_sign(character: str) -> bool:
    return character == "^" or unicodedata.category(character) in ("Sm", "Sc")


def prompt_text(row: Mapping[str, Any]) -> str:
    """What the row's own input says, system messages included; empty if it brings none."""
    params = row.get(PARAMS)
    asked = params.get("input") if isinstance(params, dict) else None
    if isinstance(asked, str):
        return asked
    items = asked if isinstance(asked, list) else []
    said = [item.get("content", item.get("output")) for item in items if isinstance(item, dict)]
    return "\n".join(text for content in said if (text := content_text(content)))


def texts(value: Any) -> list[str]:
    """All texts and numbers in a value, in the order of the names of its fields."""
    if isinstance(value, Mapping):
        return [text for name in sorted(value) for text in texts(value[name])]
    if isinstance(value, list):
        return [text for entry in value for text in texts(entry)]
    return [] if value is None else [str(value)]
