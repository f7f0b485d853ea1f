"""Reading which choice of a multiple-choice question a reply picks."""

import re
from collections import deque
from collections.abc import Mapping, Sequence

from palestra.grading.answers import labelled, last_boxed, without_text_macros

MAX_CONTENT_CHARACTERS = 10_000
"""What is longer names no choice: peeling macros takes time quadratic in how deep they nest."""

LETTER_ALONE = re.compile(r"[^A-Za-z]*([A-Z])[^A-Za-z]*")
LETTER_WITH_TEXT = re.compile(r"[\s(\[]*([A-Z])\s*[:).\-]\s*(.*)", re.DOTALL)
LABEL = re.compile(r"\b[A-Z]\b(?!\s+(?!(?:or|and)\b)[a-z])")
"""A capital that stands alone; one before a small word ("A dog", "vitamin C deficiency") belongs to a sentence."""
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
PART_OF_WORD = r"(?:[^\W\d_]|[\u064b-\u065f\u0980-\u0983\u09bc-\u09d7])"
"""A letter, or one of the Arabic and Bengali signs that Python does not count as letters."""
FOREIGN_ALONE = re.compile(rf"(?<!{PART_OF_WORD})[{''.join(map(chr, FOREIGN_LETTERS))}](?!{PART_OF_WORD})")


def choices_of(options: Sequence[Mapping[str, str | None]]) -> dict[str, str]:
    """Letters to texts, from rows' `[{"A": text}, ...]`; entries that are not one letter are left out."""
    pairs = [next(iter(option.items())) for option in options if option]
    named = [(plain_letters(name).strip().upper(), text or "") for name, text in pairs]
    return {letter: text for letter, text in named if len(letter) == 1 and letter.isalpha()}


def plain_letters(text: str) -> str:
    """The text with each foreign letter that stands alone as its Latin one; words stay as they are."""
    # Most texts have none, and searching each of them costs more than all else that is done to it.
    return text if text.isascii() else FOREIGN_ALONE.sub(lambda match: match[0].translate(FOREIGN_LETTERS), text)


def normalised(text: str) -> str:
    return " ".join(text.lower().split())


def strict_boxed(text: str, choices: Mapping[str, str]) -> str | None:
    r"""The letter in the last box: alone (`\boxed{[B]}`), or followed by the text of its choice (`\boxed{B: cat}`)."""
    box = last_boxed(text)
    return None if box is None else letter_in(box, choices)


def lenient_boxed(text: str, choices: Mapping[str, str]) -> str | None:
    """As strict_boxed, or the only choice whose text stands in the last box."""
    box = last_boxed(text)
    if box is None or len(box) > MAX_CONTENT_CHARACTERS:
        return None
    letter = letter_in(box, choices)
    if letter:
        return letter
    content = normalised(without_text_macros(box))
    named = [letter for letter, choice in choices.items() if normalised(choice) and normalised(choice) in content]
    return named[0] if len(named) == 1 else None


def letter_in(content: str, choices: Mapping[str, str]) -> str | None:
    """The choice that the content names by its letter, alone or before a text that names no other letter."""
    if len(content) > MAX_CONTENT_CHARACTERS:
        return None
    content = plain_letters(without_text_macros(content)).strip()
    alone = LETTER_ALONE.fullmatch(content)
    if alone:
        return alone[1] if alone[1] in choices else None
    with_text = LETTER_WITH_TEXT.fullmatch(content)
    if not with_text or with_text[1] not in choices:
        return None
    letter, rest = with_text[1], with_text[2]
    return None if names_another(rest, letter, choices) else letter


def names_another(rest: str, letter: str, choices: Mapping[str, str]) -> bool:
    """Whether what follows a letter offers a second one: "B - C" does; "B: vitamin C" not, if that is B's text."""
    own, rest = " ".join(choices[letter].split()), " ".join(rest.split())
    if f"{own} ".lower().startswith(f"{rest} ".lower()):
        return False
    remainder = re.sub(re.escape(own), "", rest, flags=re.IGNORECASE) if own else rest
    return any(other != letter and other in choices for other in LABEL.findall(remainder))


def answer_colon(text: str, choices: Mapping[str, str]) -> str | None:
    """The choice behind the first `Answer:`, as a letter or as the text of a choice; none if a later one differs."""
    found = [choice_named(match[1], choices) for match in ANSWER_COLON.finditer(text)]
    return found[0] if found and not set(found) - {found[0], None} else None


def answer_colon_markdown(text: str, choices: Mapping[str, str]) -> str | None:
    """The choice behind the last `Answer:` line that names exactly one; markdown emphasis does not count."""
    plain = {letter: EMPHASIS.sub("", choice) for letter, choice in choices.items()}
    for line in reversed(labelled(EMPHASIS.sub("", text))):
        letter = choice_named(line, plain) or letter_in(line, plain) or strict_boxed(line, plain)
        if letter:
            return letter
    return None


def choice_named(text: str, choices: Mapping[str, str]) -> str | None:
    """The choice whose letter, in either case, or whose whole text this is."""
    if len(text) > MAX_CONTENT_CHARACTERS:
        return None
    content = plain_letters(without_text_macros(text).strip())
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
            matches = deque(re.finditer(pattern, text, re.IGNORECASE), maxlen=1)
        except (re.error, OverflowError, RecursionError):
            continue
        if matches:
            match = matches[0]
            content = next((group for group in match.groups() if group), match[0]).strip()
            letter = plain_letters(content).upper()
            if len(letter) == 1 and letter.isascii() and letter.isalpha():
                return letter
            named = choice_named(content, choices)
            if named:
                return named
    return None
