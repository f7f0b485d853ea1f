"""The README's tables of constraints, as the code has them."""

import inspect
from collections.abc import Callable, Mapping


def table(constraints: Mapping[str, Callable[..., bool]]) -> str:
    lines = ["| constraint | arguments | kept if |", "|---|---|---|"]
    for identifier, check in constraints.items():
        named = [f"`{name}`" for name in inspect.signature(check).parameters if name != "text"]
        meaning = " ".join((inspect.getdoc(check) or "").split())
        lines.append(f"| `{identifier}` | {', '.join(named)} | {meaning} |")
    return "\n".join(lines)
