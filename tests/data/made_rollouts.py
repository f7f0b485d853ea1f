"""Rollout lines of several producers, for tests of datasets."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from palestra.wire.encoding import encode_with_checksum


def message(text: str) -> dict[str, Any]:
    return {
        "type": "message",
        "role": "assistant",
        "id": "m",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def call(name: str, output: str, number: int = 0) -> list[dict[str, Any]]:
    return [
        {"type": "function_call", "name": name, "arguments": '{"a": 1}', "call_id": f"c{number}"},
        {"type": "function_call_output", "call_id": f"c{number}", "output": output},
    ]


def rollout(task: int = 0, reward: float | None = 1.0, text: str = "four", **fields: Any) -> dict[str, Any]:
    """A rollout as NeMo Gym writes it; `output` replaces its items."""
    output = fields.pop("output", [message(text)])
    return {
        "responses_create_params": {"input": [{"role": "user", "content": f"question {task}"}]},
        "response": {"id": "r", "model": "m", "status": "completed", "output": output},
        **({} if reward is None else {"reward": reward}),
        "agent_ref": {"type": "responses_api_agents", "name": "math_simple_agent"},
        "_ng_task_index": task,
        "_ng_rollout_index": 0,
        **fields,
    }


def own_line(number: int = 0, **own: Any) -> bytes:
    """A rollout as Palestra writes it, with its checksum."""
    record = {"version": 1, "key": f"{number:032x}", "environment": "math", "task_hash": f"{number:032x}", **own}
    return encode_with_checksum({**rollout(number), "palestra": record})


def write(path: Path, rows: Sequence[dict[str, Any] | bytes]) -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path
