"""Runs code the way NeMo Gym's worker does. Palestra defines this in the Python of an episode; it is not imported."""

import builtins
import contextlib
import importlib
import io
import json
import re
from typing import Any

ALLOWED = (
    "print", "len", "str", "int", "float", "list", "dict", "tuple", "set", "min", "max", "sum", "abs", "range",
    "enumerate", "zip", "__import__",
)  # fmt: skip
PACKAGES = (("np", "numpy"), ("numpy", "numpy"), ("scipy", "scipy"), ("pd", "pandas"), ("pandas", "pandas"))
"""Names that are there without an import. They are imported when code first mentions one: it takes a second."""
NOT_EVALUATED = ("print", "import", "from", "def", "class", "if", "for", "while", "try", "with")
"""What a last line must not begin with to be evaluated."""


class RecordedPython:
    """One session: global names and local names are kept apart, as between `exec`'s two dictionaries."""

    def __init__(self) -> None:
        self.globals: dict[str, Any] = {"__builtins__": {name: getattr(builtins, name) for name in ALLOWED}}
        self.locals: dict[str, Any] = {}

    def execute(self, code: str, most: int) -> str:
        """What became of a run, as JSON text. Of output and result at most `most` characters are told."""
        self.import_mentioned(code)
        output, errors = io.StringIO(), io.StringIO()
        told: dict[str, Any] = {"success": True, "error_message": None, "result": None}
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                exec(code, self.globals, self.locals)  # noqa: S102 - what this file is for
                told["result"] = self.last_value(code)
        except Exception as error:
            # What was printed before is lost.
            return json.dumps(
                {**told, "success": False, "stdout": "", "stderr": "", "error_message": str(error)[:most]}
            )
        return json.dumps({**told, "stdout": output.getvalue(), "stderr": errors.getvalue()[:most]})

    def last_value(self, code: str) -> str | None:
        """The text of the last line's value, evaluated a second time; None if it is no expression."""
        lines = code.strip().splitlines()
        last = lines[-1].strip() if lines else ""
        if not last or last.startswith(NOT_EVALUATED):
            return None
        try:
            return str(eval(last, self.globals, self.locals))  # noqa: S307
        except Exception:
            return None

    def import_mentioned(self, code: str) -> None:
        for name, package in PACKAGES:
            if name not in self.globals and re.search(rf"\b{name}\b", code):
                with contextlib.suppress(ImportError):
                    self.globals[name] = importlib.import_module(package)


recorded_python = RecordedPython()
