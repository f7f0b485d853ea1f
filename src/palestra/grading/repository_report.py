"""Runs the tests of a repository inside the sandbox and reports on them. It is sent there as text, never imported.

The process also runs the code under test, which could do anything to it. So the report is signed with a key that is
read before any of that code is loaded, nothing but the report reaches standard output, and functions of pytest and
builtins that were replaced in the meantime are named in it. A first signed line says that pytest is there and the tests
are about to begin: without it, what broke is not the code under test.
"""

import builtins
import hmac
import json
import os
import sys
from types import FunctionType, ModuleType
from typing import Any

import pytest

READY = b"ready"
GUARDED = ("_pytest", "pytest", "pluggy", "json", "hmac")


class Outcomes:
    """Plugin: how the phases of every collected test ended."""

    def __init__(self) -> None:
        self.collected: list[str] = []
        self.failed: set[str] = set()
        self.passed: set[str] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.collected = [item.nodeid for item in items]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed" or hasattr(report, "wasxfail"):
            self.failed.add(report.nodeid)
        elif report.when == "call":
            self.passed.add(report.nodeid)


def functions() -> dict[tuple[str, str], tuple[int, int]]:
    """Which functions and classes the guarded modules have now, by identity of object and of code."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in GUARDED or module is builtins:
            found[name, ""] = (id(module), 0)
            for owner, holder in [("", module), *classes_of(module)]:
                for attribute, value in list(vars(holder).items()):
                    code = id(value.__code__) if isinstance(value, FunctionType) else 0
                    if callable(value):
                        found[name, f"{owner}.{attribute}" if owner else attribute] = (id(value), code)
    return found


def classes_of(module: ModuleType) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in list(vars(module).items()) if isinstance(value, type)]


def sign(key: str, text: bytes) -> bytes:
    return hmac.new(key.encode(), text, "sha256").hexdigest().encode()


def main() -> None:
    report_to = os.dup(1)
    order = json.loads(sys.stdin.buffer.read())
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.chdir(order["folder"])
    sys.path.append(order["folder"])
    outcomes = Outcomes()
    # Loads the modules that pytest loads late, so that they are guarded as well.
    pytest.main(["--collect-only", *order["arguments"], os.devnull])
    before = functions()
    os.write(report_to, sign(order["key"], READY) + b"\n")
    code = pytest.main([*order["arguments"], *order["modules"]], plugins=[outcomes])
    after = functions()
    replaced = [name for name, identity in before.items() if after.get(name) != identity]
    report = {
        "exit_code": int(code),
        "collected": outcomes.collected,
        "passed": sorted(outcomes.passed - outcomes.failed),
        "replaced": sorted(f"{module}:{name}" for module, name in replaced)[:20],
    }
    text = json.dumps(report).encode()
    os.write(report_to, sign(order["key"], text) + b" " + text + b"\n")
    # Whatever waits for the end of the process is not waited for.
    os._exit(int(code))


if __name__ == "__main__":
    main()
