"""Function calling: the calls that a request asks for, compared with the expected ones."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

import palestra
from palestra import Environment, Task, Transcript, Verdict
from palestra.grading.tool_calls import Expected, Finding, Made, exactly, first_fits, is_call_but_for, made

from .generation import write_row

NOT_FOUND = '{"detail":"Not Found"}'
"""What every call is answered: the functions are only described, and there is nothing behind them."""

LARGE = 50_000
"""Characters of arguments that are not read here, where others would wait for it."""


class ExpectedCall(BaseModel):
    """`{name, arguments}`, or as some data sets have it `{tool, parameters}`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str | None = None
    tool: str | None = None
    arguments: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None

    @model_validator(mode="after")
    def complete(self) -> "ExpectedCall":
        if (self.name is None) == (self.tool is None) or (self.arguments is None) == (self.parameters is None):
            raise ValueError("an expected call needs a name (or tool) and arguments (or parameters)")
        return self

    def expected(self) -> Expected:
        return Expected(self.name or self.tool or "", self.arguments or self.parameters or {})


class Request(Task):
    expected_answers: list[ExpectedCall]
    """The calls that fulfil the request, in any order; none if no function fits."""


class FunctionCalling(Environment[Request]):
    class Options(palestra.Options):
        difficulty: Literal[1, 2, 3, 4] = 1
        """Of generated tasks. 1: one call; 2: more functions and arguments; 3: up to 3 calls; 4: up to 5, or none."""
        compatible: bool = False
        """Judge as loosely as NeMo Gym does: further arguments count for nothing, true is 1, unreadable arguments are
        none."""

    async def run_tool(self, name: str, arguments: str) -> str:
        return NOT_FOUND

    async def verify(self, transcript: Transcript) -> Verdict:
        expected = [call.expected() for call in self.task.expected_answers]
        is_large = sum(len(call.arguments) for call in transcript.calls) > LARGE
        calls = await self.context.grade(made, transcript.calls) if is_large else made(transcript.calls)
        if self.options.compatible:
            finding = judge_as_original(calls, expected)
        else:
            finding = self.judged(calls, expected, transcript)
        return Verdict(
            float(finding.holds),
            metrics={
                "num_expected": len(expected),
                "num_predicted": len(calls),
                "num_correct": finding.matched,
                "predicted_calls": [{"name": call.name, "arguments": call.arguments} for call in calls],
            },
            reason=finding.reason,
        )

    def judged(self, calls: Sequence[Made], expected: Sequence[Expected], transcript: Transcript) -> Finding:
        if not expected and not calls and not transcript.reply.strip():
            return Finding(False, "no call was right, but the reply says nothing either")
        return exactly(calls, expected, is_call_but_for(self.declared_defaults()))

    def declared_defaults(self) -> dict[str, dict[str, Any]]:
        """By function and parameter; what the row's tools say of no default has none."""
        params = self.task.to_row().get("responses_create_params") or {}
        found: dict[str, dict[str, Any]] = {}
        for tool in params.get("tools") or ():
            properties = (tool.get("parameters") or {}).get("properties") or {}
            found[str(tool.get("name"))] = {
                name: schema["default"]
                for name, schema in properties.items()
                if isinstance(schema, dict) and "default" in schema
            }
        return found

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for index in range(n):
            yield {"id": index, **write_row(f"{seed}/{options.difficulty}/{index}", options.difficulty)}


def judge_as_original(calls: Sequence[Made], expected: Sequence[Expected]) -> Finding:
    """Greedy pairs, loose equality, and no argument that is given beyond the expected ones counts."""
    read = [Made(call.name, call.arguments or {}) for call in calls]
    pairs = first_fits(read, expected, fits_loosely)
    if len(pairs) == len(expected) == len(calls):
        return Finding(True, matched=len(pairs))
    return Finding(False, f"{len(pairs)} of {len(expected)} expected calls, {len(calls)} calls made", len(pairs))


def fits_loosely(call: Made, expected: Expected) -> bool:
    given = call.arguments or {}
    # Python's own equality: true is 1 here.
    return call.name == expected.name and all(
        name in given and given[name] == value for name, value in expected.arguments.items()
    )
