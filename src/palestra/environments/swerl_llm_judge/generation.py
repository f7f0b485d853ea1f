"""Tasks of our own: a bug, its mending patch among others, in random order."""

from difflib import unified_diff
from random import Random
from typing import Any

from .bugs import Bug, bugs

LETTERS = "ABCD"


def write_row(random: Random, difficulty: int) -> dict[str, Any]:
    """One bug with `difficulty` patches that do not mend it."""
    bug = random.choice(bugs())
    lines = [bug.right, *random.sample(bug.wrong, difficulty)]
    random.shuffle(lines)
    return {
        "report": bug.report,
        "code": f"{bug.path}:\n\n{bug.code}",
        "options": [{letter: patch(bug, line)} for letter, line in zip(LETTERS, lines, strict=False)],
        "expected_answer": LETTERS[lines.index(bug.right)],
        "grading_mode": "strict",
    }


def patched(bug: Bug, line: str) -> str:
    """The code with its wrong line replaced."""
    return bug.code.replace(bug.line, line, 1)


def patch(bug: Bug, line: str) -> str:
    before, after = bug.code.splitlines(keepends=True), patched(bug, line).splitlines(keepends=True)
    return "".join(unified_diff(before, after, f"a/{bug.path}", f"b/{bug.path}"))
