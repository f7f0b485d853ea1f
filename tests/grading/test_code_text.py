"""Programs out of replies, and what the runner makes of them."""

import contextlib
import io
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.grading.code_text import LINES_BEFORE, MODULES, as_program, last_block, wrapped_program

LINES = st.lists(st.text(st.characters(exclude_characters="`\n"), max_size=20), max_size=5)


def printed(program: str) -> str:
    """What a program of ours prints here."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(program, "<string>", "exec", dont_inherit=True), {"__name__": "__main__"})
    return output.getvalue()


def error_of(program: str) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - which one is what the tests ask
        printed(program)
    return caught.value


@given(LINES, LINES, LINES)
def test_the_code_stands_between_the_last_two_fences(before: list[str], code: list[str], after: list[str]) -> None:
    text = "\n".join([*before, "```", *before, "```", *after, "```python", *code, "  ```  ", *after])
    assert last_block(text) == "\n".join(code)


@given(LINES)
def test_one_fence_is_no_block(lines: list[str]) -> None:
    assert last_block("\n".join(lines)) is None
    assert last_block("\n".join([*lines, "```python", *lines])) is None


def test_an_unclosed_block_ends_the_one_before_it() -> None:
    assert last_block("```python\nprint(1)\n```\nor\n```python\nprint(2)") == "or"


def test_all_modules_are_there_by_name_and_by_their_names() -> None:
    names = ("Counter", "heappush", "bisect_left", "sqrt", "combinations", "lru_cache", "StringIO", "List", "deepcopy")
    code = f"print(*[{', '.join(MODULES)}], {', '.join(names)}, sys.getrecursionlimit())"
    assert printed(as_program(code)).endswith(" 50000\n")


@pytest.fixture(autouse=True)
def recursion_limit() -> Iterator[None]:
    """The programs raise it, here as everywhere."""
    before = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(before)


def test_lines_keep_their_numbers() -> None:
    for code in ("x = 1\n\n1 / 0", "from __future__ import annotations\nx = 1\n1 / 0"):
        trace = error_of(as_program(code)).__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        assert trace is not None
        assert trace.tb_lineno == 3 + LINES_BEFORE


@pytest.mark.parametrize(
    "first",
    [
        "from __future__ import annotations",
        "from __future__ import (annotations,\n    division)",
        '"""What it does."""\nfrom __future__ import annotations  # types',
        "from __future__ import annotations; z = 1",
        "from __future__ import annotations\nfrom __future__ import division",
    ],
)
def test_imports_of_the_future_come_first(first: str) -> None:
    assert printed(as_program(f"{first}\ndef f(x: NoSuchName): return 2\nprint(f(1))")) == "2\n"


def test_text_that_is_no_program_says_what_python_says() -> None:
    error = error_of(as_program("print((1"))
    assert isinstance(error, SyntaxError)
    assert (error.msg, error.lineno) == ("'(' was never closed", 1 + LINES_BEFORE)


def test_the_body_of_a_last_main_block_is_run_and_any_other_is_not() -> None:
    assert printed(wrapped_program("x = 2\nif __name__ == '__main__':\n    print(x)")) == "2\n"
    assert printed(wrapped_program('x = 2\nif "__main__" == __name__:\n    print(x)\nprint(3)')) == "3\n"
    assert printed(wrapped_program("if __name__ == '__main__':\n    print(1)\nprint(2)")) == "2\n"


def test_what_the_wrapper_changes() -> None:
    assert isinstance(error_of(wrapped_program("x = 1\ndef f():\n    global x\n    x += 1\nf()")), NameError)
    assert printed(wrapped_program("print(1)\nreturn\nprint(2)")) == "1\n"
    assert printed(wrapped_program("print(floor(2.5))\nimport os\nfrom math import floor as down")) == "2\n"
    assert printed(wrapped_program("def f(n):\n    return n * f(n - 1) if n else 1\nprint(f(5))")) == "120\n"


@pytest.mark.parametrize("code", ["print((1", "\0", "(" * 5000, "-" * 100_000 + "1", "1+" * 100_000 + "1"])
def test_text_that_cannot_be_parsed_stays_as_it_is(code: str) -> None:
    assert wrapped_program(code) == as_program(code)


@given(st.text())
def test_any_text_gives_a_program(code: str) -> None:
    assert isinstance(wrapped_program(code), str)
    assert as_program(code).count("\n") >= LINES_BEFORE
