"""Programs that differ from a right one in one token, and whether that shows on given inputs."""

import ast
import copy
from collections.abc import Iterator
from random import Random

BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
}  # fmt: skip
COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "sum": "len", "len": "sum", "sorted": "list"}


def changes_of(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Fields of a node and what may stand there instead."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in BINARY:
            yield "op", BINARY[type(op)]()
        case ast.Compare(ops=[op, *others]) if type(op) in COMPARED:
            yield "ops", [COMPARED[type(op)](), *others]
        case ast.BoolOp(op=op):
            yield "op", ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.Constant(value=bool() as value):
            yield "value", not value
        case ast.Constant(value=int() as value):
            yield "value", value + 1
            yield "value", value - 1
        case ast.Name(id=name) if name in NAMES:
            yield "id", NAMES[name]
        case ast.UnaryOp(op=ast.USub()):
            yield "op", ast.UAdd()


def mutants_of(code: str, function: str, *, most: int | None = None) -> list[str]:
    """The program with one token of the function changed, in every way, or `most` of them drawn by the code itself."""
    tree = ast.parse(code)
    places = [
        (number, field, value)
        for number, node in enumerate(ast.walk(tree))
        for field, value in changes_of(node)
        if is_inside(tree, node, function)
    ]
    if most is not None and len(places) > most:
        places = Random(code).sample(places, most)
    found: list[str] = []
    for number, field, value in places:
        changed = copy.deepcopy(tree)
        setattr(list(ast.walk(changed))[number], field, value)
        found.append(ast.unparse(ast.fix_missing_locations(changed)))
    return found


def is_inside(tree: ast.Module, node: ast.AST, function: str) -> bool:
    own = next(part for part in tree.body if isinstance(part, ast.FunctionDef) and part.name == function)
    return any(node is part for statement in own.body for part in ast.walk(statement))


SHOWS = """
import copy, random, sys
random.seed(0)
def load(code):
    names = {{"__name__": "solution"}}
    exec(compile(code, "solution", "exec", dont_inherit=True), names)
    return names
right = load({right!r})
given = []
def recorded(*arguments):
    given.append(copy.deepcopy(arguments))
    return right[{function!r}](*arguments)
tests = dict(right)
exec({tests!r}, tests)
tests["check"](recorded)
print(len(given), flush=True)
def outcome(names, arguments):
    arguments = copy.deepcopy(arguments)
    try:
        value = names[{function!r}](*arguments)
        return (list(value) if hasattr(value, "__next__") else value), arguments
    except Exception as error:
        return type(error).__name__
other = load({mutant!r})
if any(outcome(right, arguments) != outcome(other, arguments) for arguments in given):
    print("differs")
else:
    print("same")
"""
"""Runs the right program and the changed one on what the tests give it, in one process, without the tests' opinion."""


def shows(right: str, mutant: str, function: str, tests: str) -> str:
    """A program that says whether a mutant differs on the inputs of the tests; one that does not end differs too."""
    return SHOWS.format(right=right, mutant=mutant, function=function, tests=tests)
