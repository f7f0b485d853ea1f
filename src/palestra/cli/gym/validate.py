"""Look for everything that is wrong with a configuration, or with the manifest of an environment, without starting
anything.

With config_paths the configuration they make; with name one environment; with neither, every environment below
resources_servers and environments here.

exit codes: 0 all is well; 1 something is wrong; 2 it could not start."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import Field

from palestra.cli.gym.command import Call, GymParameters
from palestra.cli.output import print_json
from palestra.compat.environments import ENVIRONMENTS, SERVERS, environment_at
from palestra.core.discovery import find
from palestra.core.errors import PalestraError

EXAMPLE = "ng_validate +name=mcqa"


class Parameters(GymParameters):
    """What is looked at."""

    config_paths: tuple[str, ...] = ()
    """The files of a configuration."""
    name: str | None = None
    """An environment, as NAME or resources_servers/NAME."""
    is_json: bool = Field(default=False, alias="json")
    """Print JSON."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: str
    problem: str | None


def execute(call: Call) -> int:
    parameters = call.parameters_of_words(Parameters, takes_others=True)
    findings = looked_at(call, parameters)
    if parameters.is_json:
        print_json([{"about": each.about, "valid": each.problem is None, "problem": each.problem} for each in findings])
    else:
        for each in findings:
            print(f"ok    {each.about}" if each.problem is None else f"FAIL  {each.about}: {each.problem}")
    return int(any(each.problem is not None for each in findings))


def looked_at(call: Call, parameters: Parameters) -> list[Finding]:
    if parameters.config_paths:
        return [found("the configuration", lambda: call.config(Parameters))]
    if parameters.name is not None:
        place = parameters.name if "/" in parameters.name else f"{SERVERS}/{parameters.name}"
        return [found(place, lambda: environment_at(place).load())]
    places = [path for kind in (SERVERS, ENVIRONMENTS) for path in sorted(Path(kind).glob("*/environment.toml"))]
    if not places:
        fix = "Name a configuration in +config_paths or an environment in +name."
        raise PalestraError("usage", f"there is no environment below {SERVERS} or {ENVIRONMENTS} here", fix=fix)
    return [found(str(path.parent), partial(loaded, path.parent)) for path in places]


def loaded(folder: Path) -> None:
    find(str(folder)).load()


def found(about: str, look: Callable[[], object]) -> Finding:
    try:
        look()
    except PalestraError as error:
        return Finding(about, str(error))
    return Finding(about, None)
