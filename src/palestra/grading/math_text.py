"""The text of a mathematical answer, tidied: without delimiters, unicode and units, before anything parses it."""

import re
import unicodedata
from dataclasses import dataclass
from types import MappingProxyType

from palestra.grading.answers import without_text_macros

SYMBOLS = MappingProxyType(
    {
        "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": r"\div ", "√": r"\sqrt ", "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "±": r"\pm ", "∪": r"\cup ", "∩": r"\cap ",
        "∈": r"\in ", "°": r"^\circ ", "∅": r"\emptyset ", "％": r"\%", "\u00a0": " ", "½": r"\frac{1}{2}",
        "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "θ": r"\theta ",
    }
)  # fmt: skip
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

DELIMITERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"))
BOX = re.compile(r"\\(?:boxed|fbox)\s*\{(.*)\}", re.DOTALL)
GROUPED_DIGITS = re.compile(r"(?<=\d)(?:\\[,!;: ]|\{,\}|~)\s*(?=\d{3}(?!\d))")
REPEATING = re.compile(r"(?<![\d.])(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{(\d{1,20})\}")
WORD = re.compile(r"[^\W\d_]{3,}")
COMMAND = re.compile(r"\\[a-zA-Z]+")
TEXT_AT_END = re.compile(
    r"(?:\\[,;: ]|~|\s)*\\(?:text|textrm|mathrm|mbox|operatorname)\s*\{([^{}]*)\}\s*(\^\s*\{?\s*[23]\s*\}?)?$"
)
UNIT_AT_END = re.compile(r"(?<=[\d}\s)])(?:\s+(?=[A-Za-z])|(?=[A-Za-z]{3}))([A-Za-z/]+)\s*(\^\s*\{?\s*[23]\s*\}?)?$")
DEGREES_AT_END = re.compile(r"\s*\^\s*(?:\{\s*\\circ\s*\}|\\circ)\s*$|\s*\\degree\s*$")
PERCENT_AT_END = re.compile(r"\s*(?:\\?%|\\text\s*\{\s*(?:\\?%|percent)\s*\}|\bpercent)\s*$")
CURRENCY = re.compile(r"^\s*([-+]?)\s*(\\\$|[$€£¥₹])\s*(?=[\d.])")
BASE_AT_END = re.compile(r"(?<=[\dA-Fa-f}])\s*_\s*\{?\s*(?:\\text\s*\{)?\s*(\d{1,2})\s*\}{0,2}$")
TEXT_ALONE = re.compile(r"\\(?:text|textrm|mathrm|mbox)\s*\{[^{}]*\}")
CLOCK = re.compile(r"(?i)\d{1,2}:(?:0\d|\d\d\s*[ap]\.?m\.?|0\d\s*[ap]\.?m\.?)")
"""A time of day; `1:20` could be a ratio."""
HEDGES = frozenset(
    (
        "or",
        "and",
        "not",
        "maybe",
        "nor",
        "if",
        "unless",
        "is",
        "possibly",
        "either",
        "perhaps",
        "but",
        "else",
        "no",
        "about",
    )
)

UNITS = MappingProxyType(
    {
        spelling: unit
        for unit, spellings in {
            "mm": "mm millimeter millimetre", "cm": "cm centimeter centimetre", "dm": "dm decimeter",
            "m": "meter metre", "km": "km kilometer kilometre", "in": "inch inche", "ft": "ft feet foot",
            "yd": "yd yard", "mi": "mi mile", "mg": "mg milligram", "g": "gram", "kg": "kg kilogram",
            "lb": "lb pound", "oz": "oz ounce", "t": "ton tonne", "ml": "ml milliliter millilitre",
            "l": "liter litre", "gal": "gal gallon", "ms": "ms millisecond", "s": "sec second",
            "min": "min minute", "h": "hr hour", "d": "day", "week": "week", "month": "month", "year": "yr year",
            "$": "dollar usd", "cent": "cent", "€": "euro eur", "mph": "mph", "kmh": "kmh km/h", "m/s": "m/s",
            "deg": "degree deg", "rad": "radian rad", "J": "joule", "N": "newton", "W": "watt", "V": "volt", "Hz": "hz",
        }.items()
        for spelling in spellings.split()
    }
)  # fmt: skip
SHORT_UNITS = frozenset({"m", "g", "t", "l", "s", "h", "d", "in", "j", "n", "w", "v", "k", "c"})
"""Spellings that are units only inside a text macro: elsewhere they are letters of an expression."""


@dataclass(frozen=True, slots=True)
class MathText:
    """An answer's text in parts."""

    body: str
    unit: str | None = None
    """A unit that is known, in one spelling for all of its names; `%`; or `base 2`."""
    words: str | None = None
    """The answer in lower case, if it is words and not mathematics."""


def tidied(text: str) -> str:
    """One line of ASCII-like LaTeX, without invisible characters and the delimiters around it. Linear in its length."""
    visible = (" " if mark.isspace() else mark for mark in text if unicodedata.category(mark) not in ("Cf", "Mn", "Cs"))
    plain = "".join(ascii_mark(mark) for mark in visible)
    plain = re.sub(r"[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda marks: f"^{{{marks[0].translate(SUPERSCRIPTS)}}}", plain)
    return undelimited(re.sub(r"\s+", " ", plain).strip())


def ascii_mark(mark: str) -> str:
    if mark < "\x7f":
        return mark
    if mark in SYMBOLS:
        return SYMBOLS[mark]
    # Digits of any script; superscripts have a digit too, but are no decimals.
    return str(unicodedata.decimal(mark)) if mark.isdecimal() else mark


def undelimited(text: str) -> str:
    """What stands inside dollars, brackets, emphasis and boxes that enclose the whole text."""
    for _ in range(6):
        before = text
        text = text.strip().rstrip(".,;").strip() if not text.endswith(r"\,") else text
        for start, end in DELIMITERS:
            inner = text[len(start) : -len(end)]
            if text.startswith(start) and text.endswith(end) and len(text) >= len(start + end) and start not in inner:
                text = inner.strip()
        box = BOX.fullmatch(text)
        if box and is_balanced(box[1]):
            text = box[1].strip()
        if text == before:
            break
    return text


def is_balanced(text: str) -> bool:
    depth = 0
    for mark in re.findall(r"\\.|[{}]", text):
        depth += (mark == "{") - (mark == "}")
        if depth < 0:
            return False
    return depth == 0


def divided(text: str) -> MathText:
    """A tidied answer as words, or as an expression and its unit."""
    bare = without_text_macros(text).strip()
    if TEXT_ALONE.fullmatch(text) and not WORD.search(bare) and re.search(r"\d", bare):
        text = bare
    if CLOCK.fullmatch(bare) or is_wording(text, bare):
        return MathText(text, words=plain_words(bare))
    text = GROUPED_DIGITS.sub("", text)
    text = REPEATING.sub(repeating, text)
    money = CURRENCY.match(text)
    if money:
        unit = "$" if "$" in money[2] else money[2]
        return MathText(money[1] + without_unit(text[money.end() :])[0], unit)
    return MathText(*without_unit(text))


def is_wording(text: str, bare: str) -> bool:
    """Whether an answer is a name, a letter in a text macro or a phrase."""
    in_macro = bare != text and not re.sub(r"\\[a-zA-Z]+\s*\{[^{}]*\}|[\s().,]", "", text)
    without_commands = COMMAND.sub(" ", bare)
    letters_only = not re.search(r"[\d^_=+*/<>{}|\\-]", bare)
    return letters_only and (in_macro or (bool(WORD.search(without_commands)) and "," not in bare))


def plain_words(text: str) -> str:
    r"""Words to compare: `\text{(B)}` is `b`, `New  York` is `new york`."""
    return " ".join(re.sub(r"[^\w\s]", " ", without_text_macros(text)).casefold().split())


def repeating(match: re.Match[str]) -> str:
    whole, fixed, again = match.groups()
    shift = 10 ** len(fixed)
    denominator = shift * (10 ** len(again) - 1)
    numerator = int((whole + fixed) or "0") * (10 ** len(again) - 1) + int(again)
    return rf"\frac{{{numerator}}}{{{denominator}}}"


def without_unit(text: str) -> tuple[str, str | None]:
    """The text before a unit, a percent sign or a base, and which one it is; unknown units are dropped."""
    for pattern, unit in ((PERCENT_AT_END, "%"), (DEGREES_AT_END, "deg")):
        found = pattern.search(text)
        if found and found.start():
            return text[: found.start()], unit
    base = BASE_AT_END.search(text)
    if base and re.fullmatch(r"[-\s({\\a-z]*[\dA-Fa-f\s]+[)}]?", text[: base.start()]):
        return text[: base.start()].strip("(){} "), f"base {base[1]}"
    found = TEXT_AT_END.search(text)
    if found and found.start() and is_unit_text(found[1]):
        return text[: found.start()].strip(), unit_of(found[1], found[2])
    found = UNIT_AT_END.search(text)
    if found and found.start() and found[1].lower() not in SHORT_UNITS and unit_of(found[1], None):
        return text[: found.start()].strip(), unit_of(found[1], found[2])
    return text, None


def is_unit_text(text: str) -> bool:
    """Whether a text behind a number says what is counted; it may not add another answer."""
    words = text.lower().split()
    return len(words) <= 4 and not HEDGES.intersection(words) and not re.search(r"[\d=<>$\\]", text)


def unit_of(text: str, exponent: str | None) -> str | None:
    """A unit in one spelling for all of its names, or None if it is not a known one."""
    words = re.sub(r"[^a-z/$€ ]", " ", text.lower().replace("per", "/")).split()
    power = (re.findall(r"[23]", exponent or "") or [""])[0] or ("2" if {"square", "sq", "²"} & set(words) else "")
    power = power or ("3" if {"cubic", "cu"} & set(words) else "")
    names = [word for word in words if word not in ("square", "sq", "cubic", "cu", "us")]
    name = "".join(names)
    singular = name if name in UNITS or name in SHORT_UNITS else name.removesuffix("s")
    unit = UNITS.get(singular) or (singular if singular in SHORT_UNITS else None)
    return unit + power if unit else None
