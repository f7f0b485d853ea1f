"""What runs here. The keys are those of NeMo Gym's command; openai and ray are null if they are not installed, which is
no lack: nothing here needs them."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from palestra import __version__
from palestra.cli.gym.command import Call, GymParameters
from palestra.cli.output import print_json

EXAMPLE = "ng_version +json=true"


class Parameters(GymParameters):
    """How it is printed."""

    is_json: bool = Field(default=False, alias="json")
    """Print JSON."""


def execute(call: Call) -> int:
    found = versions()
    if call.parameters_of_words(Parameters).is_json:
        print_json(found)
        return 0
    for name, value in found.items():
        inner = value if isinstance(value, Mapping) else {}
        print(f"{name}:" if inner else f"{name}: {value}")
        for key, entry in inner.items():
            print(f"  {key}: {entry}")
    return 0


def versions() -> dict[str, object]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "nemo_gym": f"palestra {__version__}",
        "python": platform.python_version(),
        "python_path": sys.executable,
        "installation_path": str(Path(__file__).parents[2]),
        "dependencies": {name: installed(name) for name in ("openai", "ray")},
        "system": {
            "os": f"{platform.system()} {platform.release()}",
            "platform": platform.platform(),
            "architecture": platform.machine(),
            "processor": platform.processor() or "unknown",
            "cpus": os.cpu_count(),
            "memory_gb": round(memory, 2),
        },
    }


def installed(name: str) -> str | None:
    """The version of a package, if it is here."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
