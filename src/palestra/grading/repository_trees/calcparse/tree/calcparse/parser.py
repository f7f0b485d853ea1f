"""Tokens as a tree.

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/" | "%") signed)*
    signed  = ("-" | "+") signed | power
    power   = atom ("^" signed)?
    atom    = number | name | name "(" [sum ("," sum)*] ")" | "(" sum ")"

A tree is a number, a name, or a tuple of an operation and its arguments: `("+", 1.0, ("sqrt", "x"))`.
"""

from typing import TypeAlias

from calcparse.tokens import CalcError, Token, tokens_of

Tree: TypeAlias = "float | str | tuple[object, ...]"


class Parser:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.index = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def take(self, *marks: str) -> str | None:
        """Go past one of these marks, if it is next."""
        if self.token.kind == "mark" and self.token.text in marks:
            self.index += 1
            return self.tokens[self.index - 1].text
        return None

    def demand(self, mark: str) -> None:
        if self.take(mark) is None:
            raise CalcError(f"{mark!r} expected", self.token.position)

    def sum(self) -> Tree:
        left = self.product()
        while operation := self.take("+", "-"):
            left = (operation, left, self.product())
        return left

    def product(self) -> Tree:
        left = self.signed()
        while operation := self.take("*", "/", "%"):
            left = (operation, left, self.signed())
        return left

    def signed(self) -> Tree:
        sign = self.take("-", "+")
        if sign is None:
            return self.power()
        inner = self.signed()
        return ("negative", inner) if sign == "-" else inner

    def power(self) -> Tree:
        base = self.atom()
        return ("^", base, self.signed()) if self.take("^") else base

    def atom(self) -> Tree:
        token = self.token
        if token.kind == "number":
            self.index += 1
            return float(token.text)
        if token.kind == "name":
            self.index += 1
            return (token.text, *self.arguments()) if self.take("(") else token.text
        if self.take("("):
            inner = self.sum()
            self.demand(")")
            return inner
        raise CalcError("a value expected", token.position)

    def arguments(self) -> list[Tree]:
        if self.take(")"):
            return []
        found = [self.sum()]
        while self.take(","):
            found.append(self.sum())
        self.demand(")")
        return found


def parse(text: str) -> Tree:
    """The tree of a text. Raises CalcError."""
    parser = Parser(tokens_of(text))
    tree = parser.sum()
    if parser.token.kind != "end":
        raise CalcError(f"{parser.token.text!r} not expected", parser.token.position)
    return tree
