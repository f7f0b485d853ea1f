"""From a reply to the program that is run: the code block, and what the runner of LiveCodeBench makes of it."""

import ast
import re

FENCE = "```"
MODULES = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "io", "sys", "json", "builtins", "typing",
)  # fmt: skip
"""What a program finds imported, each name of each module, in this order."""
RECURSION_LIMIT = 50_000
PRELUDE = "; ".join(
    [
        *(f"from {name} import *" for name in MODULES),
        *(f"import {name}" for name in MODULES),
        f"sys.setrecursionlimit({RECURSION_LIMIT})",
    ]
)
"""One line, so that a program's own lines are known by their numbers."""
LINES_BEFORE = 1
"""Lines of a program before the model's own."""
WRAPPER = "wrapped_function"
NOT_MAIN = "__name__ = 'solution'"
"""The original imports the program, so that no other block for `__main__` runs."""
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
"""What Python raises for text that it cannot parse: broken, with null bytes, too deep, too large."""
FUTURE = re.compile(r"^from[ \t]+__future__[ \t]+import[ \t]*(?:\([^()]*\)|[^\n;#(]*)", re.MULTILINE)


def last_block(text: str) -> str | None:
    """The lines between the last two lines that hold three backticks; None if there are fewer than two.

    NeMo Gym's rule: the last block counts, whatever its language, and a block that was never closed ends the one
    before it.
    """
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if FENCE in line]
    return "\n".join(lines[fences[-2] + 1 : fences[-1]]) if len(fences) > 1 else None


def as_program(code: str) -> str:
    """A program that runs `code` as a file of its own would be, after the imports of the prelude.

    The code is not parsed here: broken and hostile text is compiled where it runs. Its imports of `__future__`, which
    must come first, are moved to the first line.
    """
    futures = [" ".join(found[0].split()) for found in FUTURE.finditer(code)]
    rest = FUTURE.sub(lambda found: "pass" + "\n" * found[0].count("\n"), code) if futures else code
    return "; ".join([*futures, PRELUDE]) + "\n" + rest


def wrapped_program(code: str) -> str:
    """What the original runner makes of a program that reads standard input, with a call of it in the end.

    Imports come first, everything else becomes the body of one function; see `without_main_guard`. Text that cannot be
    parsed stays as it is, so that compiling it says why. For a process that may be killed: parsing has no bound.
    """
    try:
        tree = ast.parse(code)
        imports, rest = hoisted(without_main_guard(tree.body))
        return "\n".join([f"{PRELUDE}; {NOT_MAIN}", *map(ast.unparse, imports), function_of(rest), f"{WRAPPER}()"])
    except UNREADABLE:
        return as_program(code)


def without_main_guard(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements of a module in which a last `if __name__ == "__main__":` is replaced by what it guards."""
    last = body[-1] if body else None
    if isinstance(last, ast.If) and ast.unparse(last.test) == "__name__ == '__main__'":
        return [*body[:-1], *last.body]
    return body


def hoisted(body: list[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """The import statements of a module's top level, and the other statements, each in their order."""
    parts: tuple[list[ast.stmt], list[ast.stmt]] = [], []
    for statement in body:
        parts[not isinstance(statement, ast.Import | ast.ImportFrom)].append(statement)
    return parts


def function_of(body: list[ast.stmt]) -> str:
    """A function without arguments that does this, as text."""
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    function = ast.FunctionDef(name=WRAPPER, args=nothing, body=body or [ast.Pass()], decorator_list=[], returns=None)
    return ast.unparse(ast.fix_missing_locations(ast.Module(body=[function], type_ignores=[])))
