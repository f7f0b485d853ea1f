"""The packages that a server runs with. All servers run with those of this Python, so the entrypoint changes nothing;
it must name an environment, an agent or a model all the same.

exit codes: 0 done; 2 it could not start."""

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Literal

from palestra.cli.gym.command import Call, GymParameters
from palestra.cli.output import print_table
from palestra.compat.environments import require_implementation
from palestra.core.errors import PalestraError

EXAMPLE = "ng_pip_list +entrypoint=resources_servers/mcqa +format=freeze"
PIP_TIMEOUT_S = 300.0


class Parameters(GymParameters):
    """Whose packages, and how they are printed."""

    entrypoint: str
    """As resources_servers/NAME, responses_api_agents/NAME or responses_api_models/NAME."""
    format: Literal["columns", "freeze", "json"] = "columns"
    """A table, requirements, or JSON."""
    outdated: bool = False
    """Only packages of which the index has a newer version; asks pip, which asks the index."""


def execute(call: Call) -> int:
    parameters = call.parameters(Parameters)
    require_implementation(parameters.entrypoint)
    if parameters.outdated:
        return outdated(parameters.format)
    found = packages()
    if parameters.format == "json":
        print(json.dumps([{"name": name, "version": version} for name, version in found]))
    elif parameters.format == "freeze":
        print("\n".join(f"{name}=={version}" for name, version in found))
    else:
        print_table(("Package", "Version"), found)
    return 0


def packages() -> Sequence[tuple[str, str]]:
    # Several folders of the path may hold the same distribution; Python uses the first.
    found: dict[str, tuple[str, str]] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.name
        found.setdefault(name.lower().replace("_", "-"), (name, distribution.version))
    return [entry for _, entry in sorted(found.items())]


def outdated(form: str) -> int:
    if form == "freeze":
        raise PalestraError("usage", "pip lists no outdated packages as freeze", fix="Use +format=columns or json.")
    command = [sys.executable, "-m", "pip", "list", "--outdated", "--disable-pip-version-check", f"--format={form}"]
    try:
        return subprocess.run(command, check=False, timeout=PIP_TIMEOUT_S).returncode
    except subprocess.TimeoutExpired as error:
        message = f"pip did not answer in {PIP_TIMEOUT_S:g} s"
        raise PalestraError("source-unavailable", message, fix="Check the network and pip's index.") from error
