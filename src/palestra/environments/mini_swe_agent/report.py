"""The reward that a report in SWE-bench's form earns."""

from collections.abc import Mapping
from typing import Any

KINDS = ("FAIL_TO_PASS", "PASS_TO_PASS")


def reward_of(metadata: Mapping[str, Any], instance_id: str) -> float:
    """1 if the report says that the instance is resolved and names a test of it, else 0."""
    report = (metadata.get("eval_report") or {}).get(instance_id) or {}
    status = report.get("tests_status") or {}
    named = any((status.get(kind) or {}).get(side) for kind in KINDS for side in ("success", "failure"))
    return float(report.get("resolved") is True and named)
