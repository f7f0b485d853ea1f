"""Expressions: what they mean, what null does in them, and that nothing but expressions is read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.core.errors import PalestraError
from palestra.data.rows import Rows
from tests.data.made_rollouts import call, message, rollout, write


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    path = tmp_path_factory.mktemp("rows") / "a.jsonl"
    return Rows.open(
        [
            write(
                path,
                [
                    rollout(0, 0.0, "no", label="a", **{"odd name": 1}),
                    rollout(0, 1.0, "yes", label="b", score=2.0),
                    rollout(1, 0.5, output=[*call("search", "ok"), *call("book", "ok"), message("done")], score=0.0),
                    rollout(1, None, "failed", _ng_failure_class="model-timeout", label="a"),
                ],
            )
        ]
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("reward >= 0.5", [1, 2]),
        ("not reward >= 0.5", [0]),
        ("reward is null", [3]),
        ("reward is not null and reward < 1", [0, 2]),
        ("0 < reward <= 0.5", [2]),
        ("reward == 1 or failure_class == 'model-timeout'", [1, 3]),
        ("label in ['a', 'c']", [0, 3]),
        ("label not in ['a']", [1]),
        ("label is null", [2]),
        ("reward in [0, 1]", [0, 1]),
        ("tools contains 'search'", [2]),
        ("not tools contains 'search'", [0, 1, 3]),
        ("'book' in tools and count(tools, 'book') == 1", [2]),
        ("len(tools) == 2", [2]),
        ("agent contains 'math' and startswith(label, 'b')", [1]),
        ("matches(label, '^[ab]$')", [0, 1, 3]),
        ("reward + score * 2 == 5", [1]),
        ("reward / score > 0", [1]),
        ("-reward < 0", [1, 2]),
        ("task_index % 2 == 1", [2, 3]),
        ("task_success_rate == 0.5", [0, 1]),
        ("task_rollouts == 1", [2, 3]),
        ("task_reward_spread == 1", [0, 1]),
        ("reward >= quantile(reward, 0.5)", [1, 2]),
        ('row["odd name"] == 1', [0]),
        ("masked == false and truncated == 0", [0, 1, 2, 3]),
        ("masked or reward == 1", [1]),
        ("true", [0, 1, 2, 3]),
        ("reward > 0.5 or not (turns == 3)", [0, 1, 3]),
        ("lower(kind) == 'failure'", [3]),
    ],
)
def test_meaning(rows: Rows, expression: str, expected: list[int]) -> None:
    assert np.flatnonzero(rows.where(expression)).tolist() == expected


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("rewrd > 1", "Did you mean 'reward'"),
        ("reward > 'a'", "compares double with string"),
        ("reward", "not true or false"),
        ("reward and turns", "not true or false"),
        ("reward ==", "cannot be read"),
        ("", "cannot be read"),
        ("(" * 500, "cannot be read"),
        ("failure_class == null", "is null"),
        ("failure_class is 'a'", "asks for null only"),
        ("quantle(reward, 0.5) > 1", "Did you mean 'quantile'"),
        ("len(tools, tools) == 1", "takes 1 argument"),
        ("label in ['a', 1]", "something else"),
        ("lower(reward) == 'a'", "cannot be computed"),
        ("__import__('os').system('true') == 0", "no function"),
        ("[x for x in tools] == 1", "nothing that expressions have"),
        ("(lambda: 1)() == 1", "no function"),
        ("reward.__class__ == 1", "no column"),
        ("tools[0] == 'a'", "names a column in brackets"),
    ],
)
def test_what_is_refused_says_why(rows: Rows, expression: str, told: str) -> None:
    with pytest.raises(PalestraError, match=told.replace("(", r"\(")):
        rows.where(expression)


NUMBERS = st.sampled_from(["reward", "score", "0", "0.5", "1"])
COMPARED = st.builds("{} {} {}".format, NUMBERS, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), NUMBERS)
LOGIC = st.recursive(
    COMPARED,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("(not {})".format, inner)
    ),
    max_leaves=6,
)


def kleene(expression: str, values: dict[str, Any]) -> bool | None:
    """The same by a table of truth values, row by row."""
    import ast

    def of(node: Any) -> Any:
        if isinstance(node, ast.BoolOp):
            found = [of(value) for value in node.values]
            decisive = isinstance(node.op, ast.Or)
            if any(value is decisive for value in found):
                return decisive
            return None if None in found else not decisive
        if isinstance(node, ast.UnaryOp):
            found = of(node.operand)
            return None if found is None else not found
        if isinstance(node, ast.Compare):
            one, other = of(node.left), of(node.comparators[0])
            if one is None or other is None:
                return None
            name = type(node.ops[0]).__name__
            compare = {"Lt": one < other, "LtE": one <= other, "Eq": one == other, "NotEq": one != other}
            return {**compare, "Gt": one > other, "GtE": one >= other}[name]
        return values[node.id] if isinstance(node, ast.Name) else node.value

    return of(ast.parse(expression, mode="eval").body)


@given(LOGIC)
def test_logic_is_kleenes(rows: Rows, expression: str) -> None:
    expected = [
        kleene(expression, {"reward": reward, "score": score}) is True
        for reward, score in ((0.0, None), (1.0, 2.0), (0.5, 0.0), (None, None))
    ]
    assert rows.where(expression).tolist() == expected


def test_an_expression_over_no_rows(tmp_path: Path) -> None:
    assert not len(Rows.open([write(tmp_path / "a.jsonl", [])]).where("reward > 0 and tools contains 'a'"))
