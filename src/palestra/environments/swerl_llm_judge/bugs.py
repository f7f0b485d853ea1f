"""The bugs that generated tasks are about, read from bugs.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bug:
    """One wrong line in a short piece of code."""

    path: str
    report: str
    code: str
    line: str
    """The wrong line, without its indentation."""
    right: str
    wrong: list[str]
    """Lines that do not mend it, three of them."""
    checks: list[str]
    """Expressions that are true of the mended code; for each wrong line, one of them is not."""


@cache
def bugs() -> tuple[Bug, ...]:
    content = tomllib.loads((Path(__file__).parent / "bugs.toml").read_text(encoding="utf-8"))
    return tuple(Bug(**entry) for entry in content["bugs"])
