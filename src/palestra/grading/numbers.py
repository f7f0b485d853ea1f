"""Reading the number a reply commits itself to, and comparing numbers exactly.

What counts as a number: digits of any script with or without thousands separators ("1,234"), a decimal point, a
fraction of whole numbers ("7/2"), one sign, one currency sign. A percent sign is a unit, so "12%" is 12. Scientific
notation, decimal commas and number words are not read.
"""

import re
from fractions import Fraction

from palestra.grading.answers import last_boxed

MAX_SLOT_CHARACTERS = 500
"""A longer answer slot holds more than an answer."""
MAX_DIGITS = 400

LABEL = re.compile(r"\banswer[ \t*_`]*[:：]|####", re.IGNORECASE)
NUMBER = re.compile(
    r"""
    (?P<sign>(?<![\w)\]])[-+])?
    [$€£¥]?
    (?P<late_sign>(?<=[$€£¥])[-+])?
    (?:
        (?P<top>[0-9]+)[ ]?/[ ]?(?P<bottom>[0-9]+)
      | (?P<whole>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?P<decimals>\.[0-9]+)?
      | (?P<bare_decimals>\.[0-9]+)
    )
    """,
    re.VERBOSE,
)
FRACTION_MACRO = re.compile(r"\\[dt]?frac\s?\{\s?([0-9]{1,400})\s?\}\s?\{\s?([0-9]{1,400})\s?\}")
MARKUP = re.compile(r"\\[!,;:]|[*_`]")
DIGITS = re.compile(r"[0-9]")

SEPARATORS = str.maketrans(
    {
        "\N{NO-BREAK SPACE}": " ",
        "\N{MINUS SIGN}": "-",
        "\N{FULLWIDTH FULL STOP}": ".",
        "\N{FULLWIDTH COMMA}": ",",
        "\N{FRACTION SLASH}": "/",
    }
)
GROUPING_SPACES = re.compile("(?<=[0-9])[\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}](?=[0-9]{3}(?![0-9]))")


def answer_slot(text: str) -> str | None:
    r"""The text a reply offers as its answer: what follows its last "Answer:" or "####", else its last `\boxed{}`.

    A label with nothing behind it takes the next line that is not blank.
    """
    labels = list(LABEL.finditer(text))
    if not labels:
        return last_boxed(text)
    lines = text[labels[-1].end() :].lstrip(" \t*_`:\r\n").splitlines()
    return lines[0].strip() if lines else ""


def only_number(text: str) -> Fraction | None:
    """The number of a short text that holds exactly one: "12 apples", "$1,234.50", "**7**", "3 + 4 = 7".

    Of an equation the right side counts. Two numbers are a hedge and give None, as does whatever NUMBER cannot read
    as a whole. Linear in the length of the text; never raises.
    """
    if len(text) > MAX_SLOT_CHARACTERS:
        return None
    plain = without_markup(with_plain_digits(text)).rpartition("=")[2]
    found = NUMBER.search(plain)
    if found is None or DIGITS.search(plain[: found.start()] + plain[found.end() :]):
        return None
    # A raised digit or a half right beside it makes another number ("7²", "7½"); with_plain_digits leaves them alone.
    if any(beside.isnumeric() for beside in (plain[: found.start()][-1:], plain[found.end() :][:1])):
        return None
    # An operator that stays outside of the match means that the number is part of something else ("n-4", "--4").
    if re.search(r"[-+/^]\s*$", plain[: found.start()]) or re.match(r"\s*[+/^]|-\w", plain[found.end() :]):
        return None
    return value_of(found)


def exact(value: str | int | float) -> Fraction | None:
    """A number of a dataset row as a fraction: 3.5 is 7/2, and 0.1 is 1/10, not its nearest binary value."""
    return only_number(value) if isinstance(value, str) else Fraction(str(value))


def with_plain_digits(text: str) -> str:
    """Digits of other scripts as 0-9, and the signs beside them as ASCII. Superscripts and circled digits stay."""
    if text.isascii():
        return text
    digits = "".join(str(int(letter)) if letter.isdecimal() else letter for letter in text)
    return GROUPING_SPACES.sub(",", digits.translate(SEPARATORS))


def without_markup(text: str) -> str:
    r"""Without emphasis, and with `1{,}234` and `\frac{7}{2}` as plain text."""
    text = FRACTION_MACRO.sub(r" \1/\2 ", text.replace("{,}", ",").replace("\\$", "$"))
    return MARKUP.sub("", text)


def value_of(number: re.Match[str]) -> Fraction | None:
    if len(number[0]) > MAX_DIGITS or (number["sign"] and number["late_sign"]):
        return None
    if number["top"]:
        bottom = int(number["bottom"])
        value = Fraction(int(number["top"]), bottom) if bottom else None
    else:
        whole = (number["whole"] or "0").replace(",", "")
        value = Fraction(whole + (number["decimals"] or number["bare_decimals"] or ""))
    negative = "-" in (number["sign"], number["late_sign"])
    return -value if value is not None and negative else value
