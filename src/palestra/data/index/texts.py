"""What is wrong with what a model wrote: loops, refusals, broken formats, answers that stop in the middle.

These columns need the text of every row, so they are made when they are first asked for, and kept in the index.
"""

import re
import zlib
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import orjson

from palestra.data.index.extract import LIMITS, content_text, end_reason, has_refusal
from palestra.data.index.fields import Field
from palestra.data.index.shapes import Item, Own, RowReader
from palestra.data.texts import is_written

TEXT_VERSION = 1
GRAM_WORDS = 4
"""Words of the pieces whose repetition is counted."""
FEWEST_LETTERS = 20
"""Shorter texts say too little about their language."""
LANGUAGE_CHARS = 2000
REFUSAL = re.compile(
    r"(?:i['’]?m sorry,? but|i am sorry,? but|i apologi[sz]e,? but|as an ai(?: language)? model"
    r"|i can(?:['’]t|not| not) (?:help|assist|comply|provide|do that)|i(?:['’]m| am) (?:unable|not able) to"
    r"|i (?:must|have to) (?:decline|refuse)|i won['’]t be able to)",
    re.I,
)
REFUSAL_CHARS = 200
"""Refusals are looked for at the start of the last answer."""
TEMPLATE = re.compile(r"<\|[a-z_]+\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>")
"""Marks of chat templates, which are no text."""
CALL_IN_TEXT = re.compile(r"</?tool_call>|<function=|\[TOOL_CALLS\]")
PAIRS = (("<think>", "</think>"), ("<answer>", "</answer>"))

TEXT_FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "repetition": Field("float", f"share of runs of {GRAM_WORDS} words that occurred before in what was written"),
        "compression": Field("float", "characters for each byte of the compressed text; above 10 is a loop"),
        "refused": Field("bool", "a refusal part, or a last answer that begins like a refusal"),
        "cut_off": Field("bool", "a limit ended it, or the last answer stops without an end of a sentence"),
        "format_break": Field(
            "text", "what is broken: `empty`, `template`, `call_in_text`, `tag`, `fence`, `boxed` or `arguments`"
        ),
        "words": Field("int", "words of what was written"),
        "language": Field("text", f"ISO 639-1 code of its language; null below {FEWEST_LETTERS} letters"),
    }
)


def text_values(line: bytes, reader: RowReader) -> tuple[Any, ...]:
    """The values of `TEXT_FIELDS` for one row; all null if it has no response. Raises ValueError."""
    row, _ = reader.read(line)
    response = row.response
    if response is None:
        return (None,) * len(TEXT_FIELDS)
    items = response.output or []
    written = [content_text(item.content) or content_text(item.summary) for item in items if is_written(item)]
    answers = [item for item in items if item.role == "assistant" and item.type in ("message", None)]
    answer = content_text(answers[-1].content) if answers else ""
    text = "\n".join(written)
    words = text.split()
    refused = REFUSAL.search(answer[:REFUSAL_CHARS]) is not None or any(map(has_refusal, answers))
    is_cut = end_reason(row.palestra or Own(), response) in LIMITS or is_unfinished(answer)
    return (
        repetition(words),
        len(text) / len(zlib.compress(text.encode("utf-8", "replace"), 1)) if text else 1.0,
        refused,
        is_cut,
        format_break(items, answer),
        len(words),
        language_of(text),
    )


def is_unfinished(answer: str) -> bool:
    """Whether an answer of several words ends in the middle of a sentence. A number or one word is a whole answer."""
    end = answer.rstrip()
    return len(end.split()) > 8 and end[-1].isalpha() and "\n" not in end[-40:]


def repetition(words: list[str]) -> float:
    """The share of runs of four words that are no first occurrence; 0 for fewer than five words."""
    count = len(words) - GRAM_WORDS + 1
    if count < 2:
        return 0.0
    return 1 - len(set(zip(words, words[1:], words[2:], words[3:], strict=False))) / count


def format_break(items: list[Item], answer: str) -> str | None:
    """The first thing that is broken, in the order of the column's description."""
    calls = [item for item in items if item.type == "function_call"]
    if not answer.strip():
        return None if calls else "empty"
    checks = (
        ("template", TEMPLATE.search(answer)),
        ("call_in_text", CALL_IN_TEXT.search(answer)),
        ("tag", any(answer.count(opening) != answer.count(closing) for opening, closing in PAIRS)),
        ("fence", sum(line.lstrip().startswith("```") for line in answer.splitlines()) % 2),
        ("boxed", has_open_box(answer)),
        ("arguments", any(is_broken_json(item.arguments) for item in calls)),
    )
    return next((name for name, is_broken in checks if is_broken), None)


def has_open_box(answer: str) -> bool:
    start = answer.rfind("\\boxed{")
    return start >= 0 and answer.count("{", start) > answer.count("}", start)


def is_broken_json(text: str | None) -> bool:
    try:
        return not isinstance(orjson.loads(text or "{}"), dict)
    except orjson.JSONDecodeError:
        return True


@cache
def identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)


def language_of(text: str) -> str | None:
    sample = text[:LANGUAGE_CHARS]
    if sum(map(str.isalpha, sample)) < FEWEST_LETTERS:
        return None
    return identifier().classify(sample)[0]
