"""Expressions over columns: `reward >= 0.5 and not tools contains "delete" and end_reason in ["done"]`.

Written like Python and read by Python's parser, but only what is listed here is accepted, and nothing is executed.

- names of columns (`reward`), names with a dot (`row.turns`), and any other as `row["odd name"]`
- numbers, texts, `true`, `false`, `null` (or True, False, None), lists of them
- `and`, `or`, `not`, `== != < <= > >=`, chains of them, `in`, `not in`, `is null`, `is not null`
- `+ - * / // % **`, and `text contains "part"` or `tools contains "name"`
- the functions in `FUNCTIONS`

Null: what is compared or computed with null is null; `false and null` is false and `true or null` is true (Kleene's
logic, as in SQL). A row is kept only where the whole is true. `x is null` asks for it. Division by zero gives null.
Truth values are 1 and 0 beside numbers.
"""

import ast
import io
import tokenize
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow

from palestra.core.errors import PalestraError, suggestion
from palestra.data.arrow import compute as pc

if TYPE_CHECKING:
    from palestra.data.rows import Rows

TYPES = pyarrow.types
WORDS: Mapping[str, Any] = MappingProxyType({"true": True, "false": False, "null": None})
COMPARISONS: Mapping[type, Callable[..., Any]] = MappingProxyType(
    {
        ast.Eq: pc.equal,
        ast.NotEq: pc.not_equal,
        ast.Lt: pc.less,
        ast.LtE: pc.less_equal,
        ast.Gt: pc.greater,
        ast.GtE: pc.greater_equal,
    }
)
SYMBOLS: Mapping[type, str] = MappingProxyType(
    {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.MatMult: "contains"}
)


def divided(left: Any, right: Any) -> Any:
    right = as_float(right)
    return pc.divide(as_float(left), pc.if_else(pc.equal(right, 0.0), pyarrow.scalar(None, pyarrow.float64()), right))


def floored(left: Any, right: Any) -> Any:
    return pc.floor(divided(left, right))


def remainder(left: Any, right: Any) -> Any:
    return pc.subtract(as_float(left), pc.multiply(floored(left, right), as_float(right)))


ARITHMETIC: Mapping[type, Callable[..., Any]] = MappingProxyType(
    {
        ast.Add: lambda left, right: pc.add(as_float(left), as_float(right)),
        ast.Sub: lambda left, right: pc.subtract(as_float(left), as_float(right)),
        ast.Mult: lambda left, right: pc.multiply(as_float(left), as_float(right)),
        ast.Div: divided,
        ast.FloorDiv: floored,
        ast.Mod: remainder,
        ast.Pow: lambda left, right: pc.power(as_float(left), as_float(right)),
    }
)


def count_of(names: Any, name: Any) -> Any:
    """How often a list has an entry."""
    sizes = np.asarray(pc.fill_null(pc.list_value_length(names), 0))
    owners = np.repeat(np.arange(len(sizes)), sizes)
    same = np.asarray(pc.fill_null(pc.equal(pc.list_flatten(names), name), False))
    return pyarrow.array(np.bincount(owners[same], minlength=len(sizes)))


def length_of(value: Any) -> Any:
    return pc.list_value_length(value) if TYPES.is_list(value.type) else pc.utf8_length(value)


def quantile_of(values: Any, share: Any) -> Any:
    return pc.quantile(values, q=share.as_py())[0]


FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = MappingProxyType(
    {
        "len": (1, length_of),
        "abs": (1, pc.abs),
        "lower": (1, pc.utf8_lower),
        "startswith": (2, lambda text, part: pc.starts_with(text, part.as_py())),
        "endswith": (2, lambda text, part: pc.ends_with(text, part.as_py())),
        "matches": (2, lambda text, pattern: pc.match_substring_regex(text, pattern.as_py())),
        "count": (2, count_of),
        "quantile": (2, quantile_of),
        "mean": (1, pc.mean),
    }
)
"""Name, number of arguments and function. `quantile(reward, 0.9)` and `mean(reward)` are over all rows at hand."""


def holds(expression: str, rows: "Rows") -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Which rows an expression is true for. Raises PalestraError that says what cannot be read, and where."""
    found = Evaluation(expression, rows).value(parsed(expression).body)
    if not TYPES.is_boolean(found.type) and not TYPES.is_null(found.type):
        raise PalestraError("usage", f"{expression!r} is {found.type}, not true or false", fix="Compare it.")
    if isinstance(found, pyarrow.Scalar):
        return np.full(len(rows), found.as_py() is True)
    return np.asarray(pc.fill_null(pc.cast(found, pyarrow.bool_()), False), np.bool_)


def parsed(expression: str) -> ast.Expression:
    try:
        return ast.parse(with_operators(expression), mode="eval")
    except (SyntaxError, tokenize.TokenError, RecursionError, MemoryError, ValueError) as error:
        place = f" at character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        message = f"the expression {expression!r} cannot be read{place}: {getattr(error, 'msg', error)}"
        raise PalestraError("usage", message, fix='An example: reward >= 0.5 and tools contains "search"') from error


def with_operators(expression: str) -> str:
    """The expression with `contains` between two operands as an operator that Python knows."""
    tokens = list(tokenize.generate_tokens(io.StringIO(expression.strip()).readline))
    names = [(token.type, token.string) for token in tokens]
    for place in range(1, len(names) - 1):
        before = names[place - 1]
        is_operand = before[1] in (")", "]") or (
            before[0] in (tokenize.NAME, tokenize.STRING) and before[1] not in ("and", "or", "not", "in", "is")
        )
        if names[place] == (tokenize.NAME, "contains") and is_operand:
            names[place] = (tokenize.OP, "@")
    return tokenize.untokenize(names).strip()


class Evaluation:
    """One expression over the columns of some rows."""

    def __init__(self, expression: str, rows: "Rows") -> None:
        self.expression = expression
        self.rows = rows
        self.kinds: Mapping[type, Callable[[Any], Any]] = {
            ast.BoolOp: self.connection,
            ast.UnaryOp: self.sign,
            ast.BinOp: self.operation,
            ast.Compare: self.comparison,
            ast.Name: self.name,
            ast.Attribute: self.name,
            ast.Subscript: self.subscript,
            ast.Constant: lambda node: pyarrow.scalar(node.value),
            ast.Call: self.call,
            ast.List: self.entries,
            ast.Tuple: self.entries,
        }

    def value(self, node: ast.AST) -> Any:
        evaluate = self.kinds.get(type(node))
        if evaluate is None:
            raise self.problem(f"{ast.unparse(node)!r} is nothing that expressions have")
        try:
            return evaluate(node)
        except (pyarrow.ArrowException, TypeError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            raise self.problem(f"{ast.unparse(node)!r} cannot be computed: {reason}") from error

    def problem(self, message: str) -> PalestraError:
        fix = 'An example: reward >= 0.5 and not tools contains "delete"'
        return PalestraError("usage", f"in {self.expression!r}: {message}", fix=fix)

    def connection(self, node: ast.BoolOp) -> Any:
        connect = pc.and_kleene if isinstance(node.op, ast.And) else pc.or_kleene
        found = self.truth(node.values[0])
        for other in node.values[1:]:
            found = connect(found, self.truth(other))
        return found

    def truth(self, node: ast.AST) -> Any:
        found = self.value(node)
        if TYPES.is_null(found.type):
            return pc.cast(found, pyarrow.bool_())
        if not TYPES.is_boolean(found.type):
            raise self.problem(f"{ast.unparse(node)!r} is {found.type}, not true or false: compare it")
        return found

    def sign(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return pc.invert(self.truth(node.operand))
        if isinstance(node.op, ast.USub):
            return pc.negate(as_float(self.value(node.operand)))
        raise self.problem(f"{ast.unparse(node)!r} is nothing that expressions have")

    def operation(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.MatMult):
            if TYPES.is_list(left.type):
                return pc.greater(count_of(left, right), 0)
            return pc.match_substring(left, right.as_py())
        if type(node.op) not in ARITHMETIC:
            raise self.problem(f"{ast.unparse(node)!r} is nothing that expressions have")
        return ARITHMETIC[type(node.op)](left, right)

    def comparison(self, node: ast.Compare) -> Any:
        found = None
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            one = self.compared(left, operator, right)
            found = one if found is None else pc.and_kleene(found, one)
            left = right
        return found

    def compared(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Any:
        if isinstance(operator, ast.Is | ast.IsNot):
            if not TYPES.is_null(self.value(right).type):
                raise self.problem("`is` asks for null only; use == for values")
            found = pc.is_null(self.value(left))
            return pc.invert(found) if isinstance(operator, ast.IsNot) else found
        if isinstance(operator, ast.In | ast.NotIn):
            found = self.membership(left, right)
            return pc.invert(found) if isinstance(operator, ast.NotIn) else found
        one, other = self.value(left), self.value(right)
        if TYPES.is_null(one.type) or TYPES.is_null(other.type):
            raise self.problem(f"comparing with null is never true: write `{ast.unparse(left)} is null`")
        if is_text(one) != is_text(other):
            shown = f"{ast.unparse(left)} {SYMBOLS[type(operator)]} {ast.unparse(right)}"
            raise self.problem(f"{shown!r} compares {one.type} with {other.type}")
        return COMPARISONS[type(operator)](comparable(one), comparable(other))

    def membership(self, left: ast.expr, right: ast.expr) -> Any:
        if isinstance(right, ast.List | ast.Tuple | ast.Set):
            found, entries = self.value(left), [self.constant(entry) for entry in right.elts]
            texts = [entry for entry in entries if isinstance(entry, str)]
            if len(texts) not in (0, len(entries)) or (entries and bool(texts) != is_text(found)):
                raise self.problem(f"{ast.unparse(left)!r} is {found.type}; the list holds something else")
            values = pyarrow.array(texts or [float(entry) for entry in entries])
            member = pc.is_in(comparable(found), pc.cast(values, comparable(found).type))
            return pc.if_else(pc.is_null(found), pyarrow.scalar(None, pyarrow.bool_()), member)
        held = self.value(right)
        if TYPES.is_list(held.type):
            return pc.greater(count_of(held, self.value(left)), 0)
        return pc.match_substring(held, self.value(left).as_py())

    def constant(self, node: ast.expr) -> Any:
        found = self.value(node)
        if not isinstance(found, pyarrow.Scalar):
            raise self.problem(f"a list holds values, not {ast.unparse(node)!r}")
        return found.as_py()

    def entries(self, node: ast.AST) -> Any:
        raise self.problem(f"the list {ast.unparse(node)!r} can only follow `in`")

    def name(self, node: ast.Name | ast.Attribute) -> Any:
        name = ast.unparse(node)
        if name in WORDS and not self.rows.has(name):
            return pyarrow.scalar(WORDS[name])
        return self.rows.column(name)

    def subscript(self, node: ast.Subscript) -> Any:
        if not (isinstance(node.value, ast.Name) and node.value.id == "row" and isinstance(node.slice, ast.Constant)):
            raise self.problem(f'{ast.unparse(node)!r}: only row["NAME"] names a column in brackets')
        return self.rows.column(str(node.slice.value))

    def call(self, node: ast.Call) -> Any:
        name = ast.unparse(node.func)
        if name not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise self.problem(f"there is no function {name!r}.{suggestion(name, FUNCTIONS)} There are: {known}")
        arguments, function = FUNCTIONS[name]
        if len(node.args) != arguments or node.keywords:
            raise self.problem(f"{name} takes {arguments} argument{'s' * (arguments > 1)}")
        return function(*map(self.value, node.args))


def is_text(value: Any) -> bool:
    return TYPES.is_string(value.type)


def comparable(value: Any) -> Any:
    return value if is_text(value) else as_float(value)


def as_float(value: Any) -> Any:
    """Numbers and truth values as 64-bit floats."""
    if TYPES.is_float64(value.type):
        return value
    if TYPES.is_boolean(value.type):
        value = pc.cast(value, pyarrow.int8())
    return pc.cast(value, pyarrow.float64())


def names_of(expression: str) -> list[str]:
    """The names of columns in an expression, in order. Raises PalestraError if it cannot be read."""
    body = parsed(expression).body
    inner = {id(node.func) for node in ast.walk(body) if isinstance(node, ast.Call)}
    names = [ast.unparse(node) for node in ast.walk(body) if isinstance(node, ast.Name) and id(node) not in inner]
    return list(dict.fromkeys(name for name in names if name not in WORDS))
