"""Text as tokens."""

import re
from dataclasses import dataclass

PATTERN = re.compile(
    r"(?P<blank>\s+)|(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)|(?P<mark>[-+*/%^(),])"
)


class CalcError(ValueError):
    """What was written makes no sense; `position` is where, from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} at {position}")
        self.position = position


@dataclass(frozen=True)
class Token:
    kind: str
    """`number`, `name`, `mark` or `end`."""
    text: str
    position: int


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text and one of the kind `end`. Raises CalcError for what is none."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        found = PATTERN.match(text, position)
        if found is None:
            raise CalcError(f"{text[position]!r} means nothing", position)
        if found.lastgroup != "blank":
            tokens.append(Token(str(found.lastgroup), found.group(), position))
        position = found.end()
    return [*tokens, Token("end", "", len(text))]
