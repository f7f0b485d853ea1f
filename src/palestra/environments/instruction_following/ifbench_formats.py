"""Constraints that IFBench adds to IFEval's on form and copying, written from their public descriptions."""

from itertools import pairwise
from types import MappingProxyType

from .arguments import Text

DEPTH_WANTED = 5
BRACKETS = MappingProxyType({")": "(", "]": "[", "}": "{"})
MARKS = (".", ",", ";", ":", "!", "?")
INTERROBANGS = ("?!", "!?", "‽")
TEMPLATE = ("My Answer:", "My Conclusion:", "Future Outlook:")


def parentheses(text: str) -> bool:
    """Brackets of any kind are nested five deep somewhere, and well."""
    opened: list[str] = []
    deepest = 0
    closed_from = 0
    for character in text:
        if character in BRACKETS.values():
            opened.append(character)
            closed_from = len(opened)
        elif character in BRACKETS:
            if not opened or opened.pop() != BRACKETS[character]:
                opened, closed_from = [], 0
            elif not opened:
                deepest = max(deepest, closed_from)
                closed_from = 0
    return deepest >= DEPTH_WANTED


def options(text: str, *, options: Text) -> bool:
    """The reply is one of the options, which are divided by `/`, `or` or commas; case and a last dot do not count."""
    divider = next((mark for mark in ("/", " or ", ",") if mark in options), ",")
    known = {option.strip(" ()").casefold() for option in options.split(divider)}
    return text.strip().removesuffix(".").strip(" ()").casefold() in known - {""}


def one_word_a_line(text: str) -> bool:
    """There are lines, and each holds one word."""
    lines = [line.split() for line in text.strip().split("\n") if line.strip()]
    return len(lines) > 1 and all(len(words) == 1 for words in lines)


def no_whitespace(text: str) -> bool:
    """There is no space, not even at the ends."""
    return not any(character.isspace() for character in text)


def output_template(text: str) -> bool:
    """Three labels in their order, with text behind each, and nothing before the first."""
    places = [text.find(label) for label in TEMPLATE]
    if places[0] < 0 or text[: places[0]].strip() or places != sorted(places):
        return False
    ends = [*places[1:], len(text)]
    filled = zip(TEMPLATE, places, ends, strict=True)
    return all(text[place + len(label) : end].strip() for label, place, end in filled)


def sub_bullets(text: str) -> bool:
    """There are bullet points with `*`, and each has a point with `-` below it."""
    marks = [mark for line in text.split("\n") if (mark := line.lstrip()[:1]) in {"*", "-"}]
    return marks[:1] == ["*"] and marks[-1] == "-" and ("*", "*") not in set(pairwise(marks))


def stairs(text: str) -> bool:
    """There are lines, and each is indented further than the one before."""
    indents = [len(line) - len(line.lstrip()) for line in text.rstrip().split("\n") if line.strip()]
    return len(indents) > 1 and all(second > first for first, second in pairwise(indents))


def separated_list(text: str, *, sep: Text) -> bool:
    """There are at least two items that the separator introduces, and no other bullet points."""
    lines = [line.strip() for line in text.split("\n")]
    others = {"*", "-", "•"} - {sep.strip()[:1]}
    return text.count(sep) > 1 and not any(line[:1] in others and line[1:2] == " " for line in lines)


def all_punctuation(text: str) -> bool:
    """Each standard punctuation mark occurs, and an interrobang, apart from it."""
    rest, found = text, False
    for mark in INTERROBANGS:
        found = found or mark in rest
        rest = rest.replace(mark, " ")
    return found and all(mark in rest for mark in MARKS)


def repeat_changed(text: str, *, prompt_to_repeat: Text) -> bool:
    """The reply is the request with another first word."""
    mine, theirs = text.split(), prompt_to_repeat.split()
    return bool(mine) and mine[1:] == theirs[1:] and mine[0].lower() != theirs[0].lower()
