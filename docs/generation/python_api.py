"""reference/python-api.md, from the public names of `palestra`."""

import ast
import importlib
import inspect
from itertools import pairwise

import palestra

INTRODUCTION = """# Python API

What `from palestra import ...` gives: all that an [environment](../get-started/verifying-agent-results.md) is written
with. A run from Python is one call, shown in [Configuration options](configuration-options.md#from-python); how the
parts fit is told in [Architecture](../concepts/architecture.md).
"""

ALSO_DOCUMENTED = (
    "palestra.core.transcript.Call",
    "palestra.core.model.Usage",
    "palestra.core.model.TokenTrace",
    "palestra.core.model.CallTokens",
    "palestra.core.sandbox.Sandbox",
    "palestra.core.sandbox.Program",
    "palestra.core.sandbox.Input",
    "palestra.core.sandbox.Limits",
    "palestra.core.sandbox.Run",
    "palestra.core.sandbox.Check",
    "palestra.core.sandbox.Interpreter",
    "palestra.core.sandbox.Workspace",
)
"""Types in the signatures of public names."""

ALIASES_IN = "palestra.core.model"


def python_page() -> str:
    lines = [INTRODUCTION]
    for name in palestra.__all__:
        lines += [f"## {name}", "", "```{eval-rst}", *directive(name), "```", ""]
    lines += ["## Types in their signatures", "", "```{eval-rst}"]
    for path in ALSO_DOCUMENTED:
        lines += [f".. autoclass:: {path}", "   :members:", "   :exclude-members: model_config", ""]
    return "\n".join([*lines, "```"]) + "\n"


def directive(name: str) -> list[str]:
    value = getattr(palestra, name)
    if inspect.isclass(value) and value.__module__.startswith("palestra"):
        members = [] if issubclass(value, Exception) else ["   :members:", "   :exclude-members: Options, model_config"]
        return [f".. autoclass:: palestra.{name}", *members]
    if inspect.isfunction(value):
        return [f".. autofunction:: palestra.{name}"]
    # An alias has no docstring of its own, only the text below it.
    return [f".. py:data:: palestra.{name}", "", f"   {text_below(ALIASES_IN, name)}"]


def text_below(module: str, name: str) -> str:
    body = ast.parse(inspect.getsource(importlib.import_module(module))).body
    for statement, text in pairwise(body):
        target = getattr(statement, "target", None)
        if isinstance(target, ast.Name) and target.id == name and isinstance(text, ast.Expr):
            return str(ast.literal_eval(text.value))
    raise KeyError(f"{module}.{name} has no text below it")
