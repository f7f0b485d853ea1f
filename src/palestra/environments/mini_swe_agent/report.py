"""The report of an evaluation in the form of SWE-bench's, and the reward it earns."""

from collections.abc import Mapping, Sequence
from typing import Any

KINDS = ("FAIL_TO_PASS", "PASS_TO_PASS")


def tests_status(tests: Mapping[str, Sequence[str]], passed: frozenset[str]) -> dict[str, dict[str, list[str]]]:
    """The tests of each kind, parted into those that passed and the others."""
    return {
        kind: {
            "success": [test for test in tests[kind] if test in passed],
            "failure": [test for test in tests[kind] if test not in passed],
        }
        for kind in KINDS
    }


def is_resolved(status: Mapping[str, Mapping[str, Sequence[str]]]) -> bool:
    """Whether every test passed, and there was one."""
    return any(status[kind]["success"] for kind in KINDS) and not any(status[kind]["failure"] for kind in KINDS)


def report_of(patch: str | None, *, applied: bool, status: Mapping[str, Any] | None) -> dict[str, Any]:
    """One instance's part of `eval_report`; without a status no test was run."""
    report: dict[str, Any] = {
        "patch_is_None": patch is None,
        "patch_exists": bool(patch),
        "patch_successfully_applied": applied,
        "resolved": status is not None and is_resolved(status),
    }
    return report if status is None else {**report, "tests_status": status}


def reward_of(metadata: Mapping[str, Any], instance_id: str) -> float:
    """1 if the report says that the instance is resolved and names a test of it, else 0."""
    report = (metadata.get("eval_report") or {}).get(instance_id) or {}
    status = report.get("tests_status") or {}
    named = any((status.get(kind) or {}).get(side) for kind in KINDS for side in ("success", "failure"))
    return float(report.get("resolved") is True and named)
