"""How values are written as lines of standard input and output, and how a program reads and writes them."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Form:
    """One type of value as text."""

    asked: str
    """How a statement says it."""
    told: Callable[[Any], str]
    """A value as text, without the end of its last line."""
    code: str
    """Python that reads it, or that writes `answer`."""


def spaced(numbers: list[int]) -> str:
    return " ".join(map(str, numbers))


def counted(lines: list[str]) -> str:
    return "\n".join([str(len(lines)), *lines])


def kind_name(kind: Any) -> str:
    """A type as it is written in a signature."""
    return kind.__name__ if isinstance(kind, type) and not getattr(kind, "__args__", None) else str(kind)


INPUTS = MappingProxyType(
    {
        "int": Form("a line with the whole number {name}", str, "int(input())"),
        "str": Form("a line with the text {name}", str, "input()"),
        "list[int]": Form(
            "a line with how many entries {name} has, and a line with the entries, separated by spaces",
            lambda value: f"{len(value)}\n{spaced(value)}",
            "[int(word) for word in (input(), input())[1].split()]",
        ),
        "list[str]": Form(
            "a line with how many entries {name} has, and a line for each entry",
            counted,
            "[input() for _ in range(int(input()))]",
        ),
        "list[list[int]]": Form(
            "a line with how many entries {name} has, and for each entry a line with its numbers, separated by spaces",
            lambda value: counted([spaced(row) for row in value]),
            "[[int(word) for word in input().split()] for _ in range(int(input()))]",
        ),
    }
)
OUTPUTS = MappingProxyType(
    {
        "int": Form("the number.", str, "print(answer)"),
        "str": Form("the text.", str, "print(answer)"),
        "bool": Form("Yes or No.", lambda value: "Yes" if value else "No", 'print("Yes" if answer else "No")'),
        "list[int]": Form("the numbers on one line, separated by spaces.", spaced, "print(*answer)"),
    }
)
