"""Reading which choice of a multiple-choice question a reply picks."""

import re
from collections.abc import Mapping, Sequence

from palestra.grading.answers import labelled, last_boxed, without_text_macros

LETTER_ALONE = re.compile(r"[^A-Za-z]*([A-Z])[^A-Za-z]*")
LETTER_WITH_TEXT = re.compile(r"[\s(\[]*([A-Z])\s*[:).\-]\s*(.*)", re.DOTALL)
ANSWER_COLON = re.compile(r"answer\s*:\s*(.*)", re.IGNORECASE)
EMPHASIS = re.compile(r"[*_`]+")

FOREIGN_LETTERS = str.maketrans(
    {
        **dict(zip("أبجد", "ABCD", strict=True)),
        **dict(zip("কখগঘ", "ABCD", strict=True)),
        **{chr(0xFF21 + offset): chr(65 + offset) for offset in range(26)},
    }
)
"""Arabic, Bengali and full-width letters that name choices."""


def choices_of(options: Sequence[Mapping[str, str | None]]) -> dict[str, str]:
    """Letters to texts, from rows' `[{"A": text}, ...]`; entries that are not one letter are left out."""
    pairs = [next(iter(option.items())) for option in options if option]
    return {letter.upper(): text or "" for letter, text in pairs if len(letter) == 1 and letter.isalpha()}


def normalised(text: str) -> str:
    return " ".join(text.lower().split())


def strict_boxed(text: str, choices: Mapping[str, str]) -> str | None:
    r"""The letter in the last box: alone (`\boxed{[B]}`), or followed by the text of its choice (`\boxed{B: cat}`)."""
    box = last_boxed(text)
    if box is None:
        return None
    content = without_text_macros(box).translate(FOREIGN_LETTERS).strip()
    alone = LETTER_ALONE.fullmatch(content)
    if alone:
        return alone[1] if alone[1] in choices else None
    with_text = LETTER_WITH_TEXT.fullmatch(content)
    if not with_text or with_text[1] not in choices:
        return None
    letter, rest = with_text[1], with_text[2]
    # "B - C" hedges; "B: vitamin C" does not if that is the text of B.
    hedges = any(word in choices for word in re.findall(r"\b[A-Z]\b", rest))
    return letter if not hedges or normalised(rest) == normalised(choices[letter]) else None


def lenient_boxed(text: str, choices: Mapping[str, str]) -> str | None:
    """As strict_boxed, or the only choice whose text stands in the last box."""
    letter = strict_boxed(text, choices)
    box = last_boxed(text)
    if letter or box is None:
        return letter
    content = normalised(without_text_macros(box))
    named = [letter for letter, choice in choices.items() if normalised(choice) and normalised(choice) in content]
    return named[0] if len(named) == 1 else None


def answer_colon(text: str, choices: Mapping[str, str]) -> str | None:
    """The choice behind the first `Answer:`, as a letter or as the text of a choice."""
    found = ANSWER_COLON.search(text)
    return choice_named(found[1], choices) if found else None


def answer_colon_markdown(text: str, choices: Mapping[str, str]) -> str | None:
    """The choice behind the last `Answer:` line that names exactly one; markdown emphasis does not count."""
    for line in reversed(labelled(EMPHASIS.sub("", text))):
        alone = LETTER_ALONE.fullmatch(line.translate(FOREIGN_LETTERS).upper() if len(line) == 1 else line)
        letter = alone[1] if alone and alone[1] in choices else choice_named(line, choices)
        letter = letter or strict_boxed(f"\\boxed{{{line}}}", choices)
        if letter:
            return letter
    return None


def choice_named(text: str, choices: Mapping[str, str]) -> str | None:
    content = without_text_macros(text).strip().translate(FOREIGN_LETTERS)
    if len(content) == 1 and content.upper() in choices:
        return content.upper()
    equal = [letter for letter, choice in choices.items() if choice and normalised(choice) == normalised(content)]
    return equal[0] if len(equal) == 1 else None


def by_patterns(text: str, patterns: Sequence[str], choices: Mapping[str, str]) -> str | None:
    """The last match of the first pattern that gives a choice: a letter is taken as it is, else a choice's text.

    Patterns come from the dataset and may be slow: call it in a worker. A pattern that is no regex is passed over.
    """
    for pattern in patterns:
        try:
            matches = list(re.finditer(pattern, text, re.IGNORECASE))
        except re.error:
            continue
        if matches:
            groups = [group for group in matches[-1].groups() if group] or [matches[-1][0]]
            content = groups[0].strip()
            if len(content) == 1 and content.isalpha():
                return content.upper()
            named = choice_named(content, choices)
            if named:
                return named
    return None
