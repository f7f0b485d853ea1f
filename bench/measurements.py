"""Rows of measurements: where they are written, and what each says of machine, day and commit."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

COMMON = ("case", "in_flight", "cpu_ms_per_rollout", "cpu_ratio_to_bare", "rollouts_per_s")
"""Fields of every row; null where a measurement has no such thing."""
ROOT = Path(__file__).parents[1]


def write(name: str, rows: Iterable[dict[str, Any]], folder: Path) -> Path:
    """Write `FOLDER/NAME-DATE.json`, a list of rows; the newest of a day replaces the older ones."""
    about = {"machine": machine(), "date": datetime.now(UTC).date().isoformat(), "commit": commit()}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{about['date']}.json"
    path.write_text(json.dumps([{**dict.fromkeys(COMMON), **row, **about} for row in rows], indent=2) + "\n")
    print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path, flush=True)
    return path


def machine() -> str:
    processor = platform.machine()
    told = Path("/proc/cpuinfo")
    if told.exists():
        names = [line.partition(":")[2].strip() for line in told.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    return f"{os.cpu_count()} x {processor}, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    """The short hash, with `+` behind it if the tree holds more than that commit."""
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "src", "bench/*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return head + ("+" if changed else "")
