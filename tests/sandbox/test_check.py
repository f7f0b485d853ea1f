"""Assertions about a solution: they run in one process, the solution in another, and only values pass."""

from pathlib import Path

import pytest

from palestra.core.sandbox import Check, Limits
from tests.sandbox.checking import checked, humaneval, humaneval_check, mbpp_check, rows_of

HOLDS = {
    "a value": ("def f(x):\n    return x * 2", "assert f(2) == 4"),
    "a keyword": ("def f(x, *, y):\n    return x - y", "assert f(2, y=1) == 1"),
    "a constant and an import of the solution": (
        "import math\nfrom math import gcd\nLIMIT = (1, {'a': [2]})\ndef f(x):\n    return math.sqrt(x)",
        "assert LIMIT == (1, {'a': [2]}) and gcd(4, 6) == 2 and math.isclose(f(4), 2)",
    ),
    "a name that Python has too": ("def sum(a, b):\n    return a - b", "assert sum(5, 3) == 2"),
    "types stay": (
        "def f(x):\n    return x",
        "for x in [1, True, 1.0, 'a', b'a', (1, 2), [1], {1: 2}, {1}, frozenset([1]), 1j, None, 10**400, range(3)]:\n"
        "    assert type(f(x)) is type(x) and f(x) == x",
    ),
    "standard containers": (
        "from collections import *\nP = namedtuple('P', 'x y')\n"
        "def f():\n    return Counter('aab'), P(1, 2), OrderedDict(a=1), deque([1]), {1: 2}.keys()\n"
        "def g(p):\n    return p.x",
        "c, p, o, d, k = f()\nassert c == {'a': 2, 'b': 1} and c.most_common(1) == [('a', 2)]\n"
        "assert p == (1, 2) and p.y == 2 and g(p) == 1\n"
        "assert list(o.items()) == [('a', 1)] and d[0] == 1 and k == {1}",
    ),
    "arguments that are changed": (
        "def f(grid, seen, *, more):\n    grid.sort()\n    grid[0].append(9)\n    seen['a'] = {1}\n    more.clear()",
        "grid, seen, more = [[2], [1]], {}, {5}\nfirst = grid[0]\nf(grid, seen, more=more)\n"
        "assert grid == [[1, 9], [2]] and seen == {'a': {1}} and more == set() and grid[0] is first",
    ),
    "a generator": (
        "def f(n):\n    for i in range(n):\n        yield i\ndef endless():\n    while True:\n        yield 1",
        "assert list(f(3)) == [0, 1, 2] and sum(x for x in f(4)) == 6\ng = f(1)\nassert next(g) == 0\n"
        "try:\n    next(g)\nexcept StopIteration:\n    pass\nelse:\n    assert False\n"
        "assert next(iter(endless())) == 1",
    ),
    "functions that are handed over, and back": (
        "def f(function, items):\n    return [function(x) for x in items]\ndef adder(n):\n    return lambda x: x + n",
        "assert f(lambda x: x * 2, iter([1, 2])) == [2, 4] and adder(2)(3) == 5 and f(adder(1), [1]) == [2]",
    ),
    "a class of the solution": (
        "class Node:\n    def __init__(self, value):\n        self.value, self.left = value, None\n"
        "    def __len__(self):\n        return 3\n"
        "    def __eq__(self, other):\n        return self.value == other.value\n"
        "def depth(n):\n    return 1 + depth(n.left) if n else 0",
        "root = Node(1)\nroot.left = Node(2)\nassert depth(root) == 2 and root.left.value == 2 and len(root) == 3\n"
        "assert isinstance(root, Node) and Node(5) == Node(5) and Node(5) != Node(6)",
    ),
    "a class of the tests": (
        "def reverse(node):\n    before = None\n"
        "    while node:\n        node.next, before, node = before, node, node.next\n    return before",
        "class Node:\n    def __init__(self, value, next=None):\n        self.value, self.next = value, next\n"
        "found = reverse(Node(1, Node(2)))\n"
        "assert found.value == 2 and found.next.value == 1 and found.next.next is None",
    ),
    "exceptions": (
        "class Mine(ValueError):\n    pass\ndef f(n):\n    raise [KeyError('k'), Mine('bad', 3), ZeroDivisionError][n]",
        "for n, kind, told in ((0, KeyError, ('k',)), (1, Mine, ('bad', 3)), (2, ZeroDivisionError, ())):\n"
        "    try:\n        f(n)\n    except kind as error:\n        assert error.args == told\n"
        "    else:\n        assert False",
    ),
    "recursion and an exception out of it": (
        "def f(n):\n    return f(n + 1)", "try:\n    f(0)\nexcept RecursionError:\n    pass\nelse:\n    assert False",
    ),
    "nothing is printed by a guard": ("if __name__ == '__main__':\n    raise SystemExit\nX = 1", "assert X == 1"),
}  # fmt: skip


def test_what_holds_in_one_process_holds_in_two() -> None:
    runs = checked([Check(solution, tests) for solution, tests in HOLDS.values()])
    assert {name: run.trace or run.status for name, run in zip(HOLDS, runs, strict=True) if not run.ok} == {}


SQUARE = "assert square(5) == 25\nassert square(7) == 49\nassert square(12) == 144"
LIES = {
    "an int that is equal to all": "class T(int):\n    __eq__ = lambda s, o: True\ndef square(n): return T(1)",
    "an object that is equal to all": "class T:\n    __eq__ = lambda s, o: True\ndef square(n): return T()",
    "a reflected comparison": "class T:\n    __eq__ = __ne__ = __bool__ = lambda *a: True\ndef square(n): return T()",
    "a class as the function": "class square(int):\n    __eq__ = lambda s, o: True\n    __hash__ = None",
    "a metaclass": "class M(type):\n    __eq__ = lambda s, o: True\n    __hash__ = None\n"
    "class T(metaclass=M): pass\ndef square(n): return T",
    "text": "def square(n): return str(n * n)",
    "an exit": "import os\ndef square(n): os._exit(0)",
    "an exit while loading": "import os\nos._exit(0)",
    "a polite exit": "def square(n): raise SystemExit(0)",
    "an exit while loading, politely": "raise SystemExit(0)",
    "an exit hook": "import atexit, os\natexit.register(os._exit, 0)\ndef square(n): return 1",
    "builtins": "import builtins\nbuiltins.AssertionError = builtins.all = lambda *a: True\ndef square(n): return 1",
    "the frames of callers": "import sys\ndef square(n):\n    f = sys._getframe()\n    while f:\n"
    "        for v in list(f.f_locals.values()) + list(f.f_globals.values()):\n"
    "            if v == n * n: return 1\n"
    "        f = f.f_back\n    raise KeyError(n)",
    "garbage": "import gc\ndef square(n):\n    for o in gc.get_objects():\n"
    "        if isinstance(o, str) and 'assert' in o and str(n) in o: return n * n\n    return 0",
    "its own function for the tests": "def check(candidate): pass\ndef square(n): return 0",
    "an answer of its own making": "import os\nfor fd in range(3, 20):\n"
    "    try: os.write(fd, (22).to_bytes(4, 'little') + b'D{\"d\":[\"status\",\"ok\"]}' * 9)\n"
    "    except OSError: pass\ndef square(n): return 0",
    "a flood": "import os\ntry:\n    while True: os.write(5, b'\\xff' * 65536)\nexcept OSError: pass\n"
    "def square(n): return 0",
    "a closed connection": "import os\nos.close(5)\ndef square(n): return 0",
    "a fork that answers": "import os\ndef square(n):\n    return n * n if os.fork() else 0",
    "a cyclic value": "def square(n):\n    x = []\n    x.append(x)\n    return x",
    "nothing": "",
    "no Python": "def square(n: return",
}  # fmt: skip


def test_no_lie_is_taken_for_a_value() -> None:
    runs = checked([Check(code, SQUARE) for code in LIES.values()], Limits(cpu_s=2, wall_s=20))
    assert [name for name, run in zip(LIES, runs, strict=True) if run.ok] == []
    by_name = dict(zip(LIES, runs, strict=True))
    for name in ("an exit", "an exit while loading", "a closed connection"):
        assert (by_name[name].status, by_name[name].error) == ("died", "the program ended while it was tested")
    assert "SyntaxError: invalid syntax" in str(by_name["no Python"].error)


TOLERANT = (
    "assert abs(root(2) - 1.4142) < 1e-3 and math.fabs(root(2) - 1.4142) < 1e-3\nassert len(sorted([root(9)])) == 1"
)


@pytest.mark.parametrize(
    "code",
    [
        "import math\nabs = lambda x: 0\ndef root(n): return 5.0",
        "class math:\n    fabs = lambda x: 0\ndef root(n): return 1.4140",
        "import math\nclass T(float):\n    __sub__ = lambda s, o: 0.0\ndef root(n): return T(9)",
        "import math\nclass T:\n    __sub__ = __rsub__ = lambda s, o: 0.0\ndef root(n): return T()",
        "import math\ndef root(n): return float('nan')",
    ],
)
def test_a_solution_does_not_judge_itself(code: str) -> None:
    honest, run = checked([Check("import math\ndef root(n): return n ** 0.5", TOLERANT), Check(code, TOLERANT)])
    assert honest.ok, honest.trace
    assert not run.ok or code.startswith("class math"), run
    if code.startswith("class math"):
        # Its `math` is not asked: 1.4140 is right by the real one.
        assert run.ok, run.trace


def test_the_tests_objects_are_out_of_reach() -> None:
    tests = "SECRET = 'word'\ndef helper(x):\n    return x\nassert f(helper, (x for x in [1])) == 1"
    codes = [
        "def f(h, g): return 1 if h.__globals__['SECRET'] else 0",
        "def f(h, g): return 1 if g.gi_frame.f_globals else 0",
        "def f(h, g):\n    h.__code__ = None\n    return 1",
        "def f(h, g): return h(1) + len(list(g)) - 1",
    ]
    runs = checked([Check(code, tests) for code in codes])
    assert [run.ok for run in runs] == [False, False, False, True]
    assert all(run.error and run.error.startswith(("PermissionError", "AttributeError")) for run in runs[:3])


def test_a_limit_is_told_apart_from_a_failed_assertion() -> None:
    limits = Limits(cpu_s=0.5, wall_s=20, memory_mb=128)
    endless, sleepy, large, wrong = checked(
        [
            Check("def f():\n    while True:\n        pass", "f()"),
            Check("X = 1", "while True:\n    pass"),
            Check("def f():\n    return len(bytearray(1 << 30))", "f()"),
            Check("def f():\n    return 1", "print('seen')\nassert f() == 2, 'two'"),
        ],
        limits,
    )
    assert (endless.status, sleepy.status) == ("cpu_limit", "cpu_limit")
    assert large.status in ("raised", "memory_limit", "died")
    assert (wrong.status, wrong.error, wrong.output) == ("raised", "AssertionError: two", "seen\n")
    assert "two" in str(wrong.trace)
    assert "handles.py" not in str(wrong.trace)


def test_a_call_needs_a_function_of_the_tests_and_an_argument_of_the_solution() -> None:
    tests = "def check(candidate):\n    assert candidate(2) == 4"
    right = Check("def f(x):\n    return x * 2", tests, "check", "f")
    without = Check("def check(x): pass\ndef f(x):\n    return 5", "", "check", "f")
    other = Check("def check(x): pass\ndef g(x):\n    return 5", tests, "check", "f")
    runs = checked([right, without, other])
    assert [run.status for run in runs] == ["ok", "raised", "raised"]
    assert [run.error for run in runs[1:]] == [
        "NameError: name 'check' is not defined",
        "NameError: name 'f' is not defined",
    ]


PROGRAM_AS_FUNCTION = (
    "import io, sys\ndef square(n):\n    sys.stdin, sys.stdout = io.StringIO(str(n)), io.StringIO()\n"
    "    exec({text})\n    return int(sys.stdout.getvalue())\n"
)


def test_no_attack_on_rewards_succeeds(shared: Path) -> None:
    rows = [row for row in rows_of(shared / "data/corpus/code_attacks.jsonl") if row["category"] == "hack"]
    assert len(rows) >= 18
    codes = [
        row["code"] if row["mode"] == "fn" else PROGRAM_AS_FUNCTION.replace("{text}", repr(row["code"])) for row in rows
    ]
    honest = Check("def square(n):\n    return n * n", SQUARE)
    runs = checked([honest, *(Check(code, SQUARE) for code in codes), honest], Limits(cpu_s=5, wall_s=30))
    assert [row["id"] for row, run in zip(rows, runs[1:-1], strict=True) if run.ok] == []
    assert runs[0].ok
    assert runs[-1].ok


def test_the_first_references_pass(shared: Path) -> None:
    rows = humaneval(shared)[:12]
    assert [run.status for run in checked([humaneval_check(row) for row in rows])] == ["ok"] * len(rows)


@pytest.mark.slow
def test_every_canonical_solution_of_humaneval_passes(shared: Path) -> None:
    rows = humaneval(shared)
    runs = checked([humaneval_check(row) for row in rows])
    assert len(runs) == 164
    assert {row["task_id"]: run.error for row, run in zip(rows, runs, strict=True) if not run.ok} == {}


@pytest.mark.slow
def test_every_reference_of_mbpp_passes(shared: Path) -> None:
    rows = rows_of(shared / "data/real/mbpp/mbpp.jsonl")
    runs = checked([mbpp_check(row) for row in rows])
    assert len(runs) == 974
    assert {row["task_id"]: run.error for row, run in zip(rows, runs, strict=True) if not run.ok} == {}
