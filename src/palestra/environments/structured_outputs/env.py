"""Text or tool arguments in a given structure: JSON, YAML, XML, TOML or CSV, judged by a JSON Schema."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import Field

import palestra
from palestra import Environment, Item, Task, Transcript, Verdict
from palestra.core.errors import Failure
from palestra.core.session import Step
from palestra.core.task import asked
from palestra.core.transcript import function_calls
from palestra.grading.answers import without_leading_reasoning
from palestra.grading.json_schema import SchemaError
from palestra.grading.structured import Format

from .generation import LEVELS, write_row
from .judging import Demands, Finding, check_schema, judge_arguments, judge_text

REMARKS = {"xml": " Put everything into one root element.", "csv": " Begin with a header row."}.items()


class Document(Task):
    document: str = ""
    """What the structure is filled from; not needed in a row that brings its own prompt."""
    schema_str: str
    """The JSON Schema, as JSON text."""
    schema_type: Format = "json"
    """The format of the reply."""
    response_mode: str | None = None
    """`tool_call` if the reply is the one call of a tool, else it is the text."""
    tool_name: str | None = None
    """The tool that has to be called."""
    tool_payload_key: str | None = None
    """The argument that the schema is about; all arguments if there is none."""


class StructuredOutputs(Environment[Document]):
    class Options(palestra.Options):
        xml_coerce_types: bool = True
        """Texts of XML and CSV are read as the types that the schema names."""
        difficulty: Literal[1, 2, 3, 4] = 1
        """Of generated tasks. 1: flat JSON; 2: lists, YAML, TOML, CSV; 3: nested, XML; 4: deeper, with tool calls."""
        compatible: bool = False
        """Judge as loosely as NeMo Gym does: of equal keys the last counts, and further arguments are ignored."""
        deadline_s: float = Field(default=4.0, gt=0)
        """CPU seconds for one reply; beyond it the rollout fails and is not judged."""

    @property
    def calls_tool(self) -> bool:
        return self.task.response_mode == "tool_call"

    async def setup(self) -> None:
        if self.calls_tool and not self.task.tool_name:
            raise Failure(
                "environment", "tool_name: the row asks for a tool call and names no tool", code="task-invalid"
            )
        try:
            await self.context.grade(check_schema, self.task.schema_str, deadline_s=self.options.deadline_s)
        except SchemaError as error:
            raise Failure("environment", f"schema_str: {error}", code="task-invalid") from error

    def prompt(self) -> str:
        document = asked(self.task.document, "a document")
        form = self.task.schema_type.upper()
        remark = next((text for name, text in REMARKS if name == self.task.schema_type), "")
        return (
            f"{document}\n\nWrite this as {form} that satisfies the JSON Schema below.{remark} "
            f"Reply with the {form} alone: no explanation, no code fence.\n\n{self.task.schema_str}"
        )

    async def step(self, items: Sequence[Item]) -> Step:
        """The one call that is asked for ends the episode: nothing is to be learnt from its answer."""
        if self.calls_tool and function_calls(items):
            return Step(done=True)
        return await super().step(items)

    async def verify(self, transcript: Transcript) -> Verdict:
        finding = await (self.found_in_calls(transcript) if self.calls_tool else self.found_in_text(transcript.text))
        return Verdict(
            float(finding.error_type is None),
            metrics={"error_type": finding.error_type, "error_message": finding.message},
            reason=finding.message,
        )

    async def found_in_text(self, text: str) -> Finding:
        text = without_leading_reasoning(text)
        return await self.context.grade(judge_text, text, self.demands, deadline_s=self.options.deadline_s)

    async def found_in_calls(self, transcript: Transcript) -> Finding:
        names = [call.name for call in transcript.calls]
        if not names:
            return Finding("missing_tool_call", f"{self.task.tool_name!r} was not called")
        if len(names) > 1:
            return Finding("multiple_tool_calls", f"there are {len(names)} calls; one was asked for")
        if names[0] != self.task.tool_name:
            return Finding("wrong_tool_name", f"{names[0][:80]!r} was called instead of {self.task.tool_name!r}")
        arguments = transcript.calls[0].arguments
        return await self.context.grade(judge_arguments, arguments, self.demands, deadline_s=self.options.deadline_s)

    @property
    def demands(self) -> Demands:
        task, options = self.task, self.options
        return Demands(
            schema_str=task.schema_str,
            form=task.schema_type,
            payload_key=task.tool_payload_key,
            coerces=options.xml_coerce_types,
            compatible=options.compatible,
        )

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for index in range(n):
            yield write_row(f"{seed}/{options.difficulty}/{index}", LEVELS[options.difficulty - 1])
