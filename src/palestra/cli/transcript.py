"""Printing one stored rollout as a conversation."""

from itertools import islice
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError
from palestra.core.model import Item
from palestra.core.transcript import argument_text, content_text, output_text
from palestra.data.load import rows_of_file
from palestra.wire.calls import flat
from palestra.wire.rows import PARAMS, agent_name, input_items


def read_rollout(path: Path, number: int) -> dict[str, Any]:
    """The rollout of one line, from 0. Raises PalestraError if there is none."""
    row = next(islice(rows_of_file(path), number, None), None)
    if row is None:
        raise PalestraError("usage", f"{path} has no line {number}")
    if row.problem is not None or "response" not in row.content:
        raise PalestraError("invalid-row", row.problem or f"{row.origin} is not a rollout: it has no response")
    return dict(row.content)


def print_rollout(rollout: dict[str, Any]) -> None:
    """Prompt, everything said and done, and the verdict."""
    own = rollout.get("palestra") or {}
    names = (
        agent_name(rollout) or "rollout",
        rollout.get("_ng_task_index", "?"),
        rollout.get("_ng_rollout_index", "?"),
    )
    print("{}, task {}, rollout {}".format(*names))
    for item in [*input_items(rollout[PARAMS]["input"]), *flat(rollout["response"].get("output") or [])]:
        title, text = described(item)
        print(f"\n--- {title}\n{text}")
    print(f"\n--- verdict\nreward {rollout['reward']:g}" + (f": {own['reason']}" if own.get("reason") else ""))
    known = {PARAMS, "response", "reward", "agent_ref", "palestra", "_ng_task_index", "_ng_rollout_index"}
    for name, value in rollout.items():
        if name not in known:
            print(f"{name}: {str(value)[:200]}")
    if own:
        timing = own.get("timing", {}).get("total_s", 0.0)
        print(f"model {rollout['response']['model']}, ended by {own.get('end_reason')}, {timing:.2f} s", end="")
        print(f", {len(own['tokens']['ids'])} token ids with log-probabilities" if "tokens" in own else "")


def described(item: Item) -> tuple[str, str]:
    """A title and the text of one item."""
    kind = item.get("type", "message")
    if kind == "function_call":
        return f"calls {item.get('name')}", argument_text(item)
    if kind == "function_call_output":
        return "gets back", output_text(item)
    if kind == "reasoning":
        return "reasoning", content_text(item.get("summary") or item.get("content"))
    return str(item.get("role", kind)), content_text(item.get("content"))
