"""What a mathematical answer may not contain: decided on its text in linear time, before anything parses it."""

import re

LONGEST = 1000
DEEPEST = 12
MOST_DIGITS = 700
"""Digits of one number."""
LARGEST_EXPONENT = 20_000
LARGEST_FACTORIAL = 1000
MOST_CELLS = 64
"""Cells of all matrices together."""
MOST_COMMANDS = 150
MOST_EXPONENTS = 100
MOST_BARS = 20

MACROS = re.compile(
    r"\\(?:def|edef|gdef|let|newcommand|renewcommand|providecommand|input|include|write|read|open(?:in|out)|csname"
    r"|catcode|expandafter|immediate|loop|repeat|verb|usepackage|special|directlua)(?![a-zA-Z])"
)
PYTHON = re.compile(r"__|(?<![\\a-zA-Z])lambda(?![a-zA-Z])|(?<![\\a-zA-Z])import(?![a-zA-Z])")
OPERATORS = re.compile(r"\\(?:det|sum|prod|coprod|i{0,3}int|oint|lim|limsup|liminf|bigcup|bigcap)(?![a-zA-Z])|[∑∏∫]")
COMPUTED_MATRIX = re.compile(r"[vV]matrix\}|matrix\}\s*\^|matrix\}\s*(?:\\cdot|\\times|\*)?\s*\\begin")
"""Determinants, powers and products of matrices are computed while parsing."""
FACTORIAL = re.compile(r"(\d*)(\s*!)(?!=)(\s*!)?")
BINOMIAL = re.compile(r"\\[dt]?binom(?![a-zA-Z])|\\choose(?![a-zA-Z])")
SMALL_BINOMIAL = re.compile(r"\\[dt]?binom\s*\{\s*(\d{1,4}|[a-z])\s*\}\s*\{\s*(\d{1,4}|[a-z])\s*\}")
TOKENS = re.compile(r"\*\*|\^|\\.|[{}()\[\]]|\d+|\S", re.DOTALL)


def refusal(text: str) -> str | None:
    """Why the text must not be parsed, or None if it may."""
    if len(text) > LONGEST:
        return f"it has {len(text):,} characters, more than {LONGEST:,}"
    for pattern, problem in (
        (MACROS, "it uses the macro"),
        (PYTHON, "it holds program text"),
        (OPERATORS, "it asks for"),
        (COMPUTED_MATRIX, "it computes with"),
    ):
        found = pattern.search(text)
        if found:
            return f"{problem} {found[0]!r}"
    if re.search(rf"\d{{{MOST_DIGITS + 1}}}", text):
        return f"it has a number of more than {MOST_DIGITS} digits"
    for mark, most in (("&", MOST_CELLS), ("\\", MOST_COMMANDS), ("^", MOST_EXPONENTS), ("|", MOST_BARS)):
        if text.count(mark) > most:
            return f"it has more than {most} of {mark!r}"
    signs = "it has a run of signs" if re.search(r"(?:[-+]\s*){6}", text) else None
    return signs or refused_factorial(text) or refused_binomial(text) or refused_nesting(text)


def refused_factorial(text: str) -> str | None:
    for number, _, again in FACTORIAL.findall(text):
        if again:
            return "it has a repeated factorial"
        if len(number) > 4 or (number and int(number) > LARGEST_FACTORIAL):
            return f"it has the factorial of {number[:20]}"
    return None


def refused_binomial(text: str) -> str | None:
    """Binomials are computed while parsing, so that only those of plain small numbers and letters may get there."""
    small = SMALL_BINOMIAL.findall(text)
    if len(small) != len(BINOMIAL.findall(text)):
        return "it has a binomial of something that is no plain number or letter"
    largest = max((int(number) for pair in small for number in pair if number.isdigit()), default=0)
    return f"it has a binomial of {largest}" if largest > LARGEST_FACTORIAL else None


def refused_nesting(text: str) -> str | None:
    """Brackets nested too deeply, and exponents that make numbers nobody can write down."""
    brackets: list[bool] = []
    """Of each open bracket: whether it holds an exponent."""
    level = 0
    in_exponent: list[tuple[int, int]] = []
    raised = False
    for token in TOKENS.findall(text):
        if token in ("^", "**"):
            raised = True
            continue
        if token in ("{", "(", "["):
            brackets.append(raised)
            level, raised = level + raised, False
            if len(brackets) > DEEPEST:
                return f"it is nested more than {DEEPEST} deep"
        elif token in ("}", ")", "]") and brackets:
            level -= brackets.pop()
        elif token.isdecimal() and level + raised:
            in_exponent.append((level + raised, int(token[:12])))
        if level + raised > 2:
            return "it is a tower of exponents"
        raised = False
    return refused_exponents(in_exponent)


def refused_exponents(in_exponent: list[tuple[int, int]]) -> str | None:
    largest = max((number for _, number in in_exponent), default=0)
    if largest > LARGEST_EXPONENT:
        return f"it has the exponent {largest}"
    upper = max((number for level, number in in_exponent if level == 2), default=0)
    # What stands below an exponent's own exponent: a letter counts as 2.
    lower = max((number for level, number in in_exponent if level == 1), default=2)
    if upper > 64 or max(lower, 2) ** upper > LARGEST_EXPONENT:
        return f"it has the exponent {lower}^{upper}"
    return None
