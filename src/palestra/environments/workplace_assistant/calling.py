"""Tool calls on an office: which there are, how arguments are read, and what is answered."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from palestra.core.tools import tools_of
from palestra.core.transcript import Call

from .analytics import AnalyticsTool
from .calendar_events import CalendarTool
from .customers import CustomerRelationshipManagerTool
from .emails import CompanyDirectoryTool, EmailTool
from .office import Office
from .projects import ProjectManagementTool
from .tables import Tables

OWNERS = (
    CompanyDirectoryTool, EmailTool, CalendarTool, AnalyticsTool, ProjectManagementTool,
    CustomerRelationshipManagerTool,
)  # fmt: skip


class Desk(
    CustomerRelationshipManagerTool,
    ProjectManagementTool,
    AnalyticsTool,
    CalendarTool,
    EmailTool,
    CompanyDirectoryTool,
):
    """All 27 tools on one set of tables. Bases stand from last to first, so tools are listed from first to last."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a tool takes."""

    owner: str
    """Class and method as errors name them."""
    domain: str
    """Which tables it is about, as rows name them."""
    parameters: Mapping[str, type]
    required: tuple[str, ...]


def signature_of(owner: type[Office], name: str) -> Signature:
    found = list(inspect.signature(getattr(owner, name)).parameters.values())[1:]
    return Signature(
        f"{owner.__name__}.{name.removeprefix(owner.prefix)}",
        owner.prefix.removesuffix("_"),
        {parameter.name: parameter.annotation for parameter in found},
        tuple(parameter.name for parameter in found if parameter.default is parameter.empty),
    )


SIGNATURES = MappingProxyType({name: signature_of(owner, name) for owner in OWNERS for name in tools_of(owner)})


def perform(desk: Desk, call: Call, *, drop_nulls: bool) -> Any:
    """Run one call. Whatever is wrong with it is raised: its text is the answer for the model."""
    signature = SIGNATURES.get(call.name)
    if signature is None:
        raise KeyError(call.name)
    arguments = call.parsed()
    if arguments is None:
        raise ValueError("the arguments are no JSON object")
    given = {key: value for key, value in arguments.items() if value is not None or not drop_nulls}
    for key in given:
        if key not in signature.parameters:
            raise TypeError(f"{signature.owner}() got an unexpected keyword argument {key!r}")
    if not desk.compatible:
        given = {key: fitting(key, value, signature.parameters[key]) for key, value in given.items()}
    # What is missing is answered by the tool itself, which takes an empty text for it.
    return getattr(desk, call.name)(**{**dict.fromkeys(signature.required, ""), **given})


def fitting(name: str, value: Any, wanted: type) -> Any:
    """A value as the tool wants it: numbers for texts are written out, texts for numbers read. Raises TypeError."""
    if isinstance(value, wanted) and not isinstance(value, bool):
        return value
    if wanted is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if wanted is int and isinstance(value, str | float) and str(value).removesuffix(".0").isdecimal():
        return int(str(value).removesuffix(".0")[:9])
    kind = "a text" if wanted is str else "a whole number"
    raise TypeError(f"{name} must be {kind}, got {str(value)[:80]!r}")


def answer(desk: Desk, call: Call, *, drop_nulls: bool = True) -> Any:
    """What a call is answered, also where it cannot be run."""
    try:
        return perform(desk, call, drop_nulls=drop_nulls)
    except Exception as error:
        return f"Error executing tool '{call.name[:100]}': {error}"


WRITING = frozenset(
    name
    for name in SIGNATURES
    if name.rpartition("_")[0].endswith(("_send", "_delete", "_forward", "_reply", "_create", "_update", "_add"))
)
"""Tools that change a table; all others only read."""


def replay(tables: Tables, calls: Iterable[Call], *, compatible: bool) -> tuple[Desk, list[str]]:
    """The tables after calls, and what the calls that should have changed them and did not were answered."""
    desk = Desk()
    desk.lay_out(tables, compatible=compatible)
    refused: list[str] = []
    for call in calls:
        writes = desk.writes()
        if call.name in WRITING or call.name not in SIGNATURES:
            answered = answer(desk, call, drop_nulls=not compatible)
            if desk.writes() == writes:
                refused.append(f"{call.name[:100]}: {answered}")
    return desk, refused
