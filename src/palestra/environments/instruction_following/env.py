"""Replies that must keep constraints a program can check: lengths, keywords, formats, copies."""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

import palestra
from palestra import Environment, Task, Transcript, Verdict
from palestra.core.errors import Failure
from palestra.core.transcript import content_text, item_text
from palestra.grading.answers import without_reasoning

from .constraints import arguments_of, follows
from .generation import generated_rows

GradingMode = Literal["binary", "fraction"]
REQUIRED = ("instruction_id_list", "prompt", "kwargs")
SAYS_SOMETHING = frozenset("LNS")
"""Unicode's letters, numbers and symbols; a reply without any of them says nothing."""


class Metadata(BaseModel):
    """What a row says of its constraints: at its top level, or in `verifier_metadata`, which goes first."""

    model_config = ConfigDict(frozen=True, extra="allow")

    instruction_id_list: list[str] | None = None
    """The ids of the constraints."""
    kwargs: list[dict[str, Any] | None] | None = None
    """The arguments of each constraint, in the same order; null for none."""
    prompt: str | None = None
    """What the model is asked, constraints included; not used in a row that brings its own input."""
    grading_mode: GradingMode | None = None
    """`binary` (all constraints or nothing), the default, or `fraction` (the share of them that is kept)."""


class Request(Task, Metadata):
    verifier_metadata: Metadata | None = None
    """The same fields, as newer rows carry them."""

    @model_validator(mode="after")
    def complete(self) -> "Request":
        missing = [name for name in REQUIRED if self.stated(name) is None]
        if missing:
            raise ValueError(f"verifier_metadata is missing required fields: {missing}")
        return self

    def stated(self, name: str) -> Any:
        nested = getattr(self.verifier_metadata, name, None)
        return getattr(self, name) if nested is None else nested


class Constraint(NamedTuple):
    identifier: str
    arguments: Mapping[str, Any] | None
    """None if the row's own cannot be used."""


class InstructionFollowing(Environment[Request]):
    class Options(palestra.Options):
        compatible: bool = False
        """Pay whatever NeMo Gym pays: replies that say nothing, hedges, rows whose constraints cannot be checked."""
        grading_mode: GradingMode | None = None
        """Used for all rows instead of their own."""
        longest_reply: int = Field(default=100_000, gt=0)
        """Characters; a longer reply keeps no constraint."""
        deadline_s: float = Field(default=10.0, gt=0)
        """CPU seconds for one reply, for the sake of rows whose keywords are slow regular expressions."""
        difficulty: Literal[1, 2, 3, 4] = 1
        """Of generated tasks: the number of constraints."""

    constraints: tuple[Constraint, ...] = ()

    def setup(self) -> None:
        identifiers, kwargs = self.task.stated("instruction_id_list"), self.task.stated("kwargs")
        problems = [] if identifiers else ["instruction_id_list names no constraint"]
        if len(identifiers) != len(kwargs):
            problems.append(f"instruction_id_list has {len(identifiers)} entries and kwargs {len(kwargs)}")
        found: list[Constraint] = []
        for identifier, given in zip(identifiers, kwargs, strict=False):
            try:
                found.append(Constraint(identifier, arguments_of(identifier, given)))
            except ValueError as error:
                problems.append(str(error))
                found.append(Constraint(identifier, None))
        if problems and not self.options.compatible:
            raise Failure("environment", "; ".join(problems), code="task-invalid")
        self.constraints = tuple(found)

    def prompt(self) -> str:
        return self.task.stated("prompt")

    async def verify(self, transcript: Transcript) -> Verdict:
        text = self.reply_in(transcript)
        reason = self.why_nothing_is_kept(text, transcript)
        kept = [False] * len(self.constraints)
        if reason is None:
            plain = tuple(tuple(constraint) for constraint in self.constraints)
            options = self.options
            kept = await self.context.grade(follows, text, plain, options.compatible, deadline_s=options.deadline_s)
            broken = [one.identifier for one, is_kept in zip(self.constraints, kept, strict=True) if not is_kept]
            reason = f"not kept: {', '.join(broken)}" if broken else None
        share = sum(kept) / len(kept) if kept else 0.0
        mode = self.options.grading_mode or self.task.stated("grading_mode") or "binary"
        return Verdict(
            share if mode == "fraction" else float(all(kept)),
            metrics={
                "follow_all_instructions": all(kept),
                "follow_instruction_list": kept,
                "share_followed": share,
            },
            reason=reason,
        )

    def reply_in(self, transcript: Transcript) -> str:
        if not self.options.compatible:
            return without_reasoning(transcript.reply)
        last = transcript.output[-1] if transcript.output else {}
        content = last.get("content")
        return content_text(content[:1]) if isinstance(content, list) else item_text(last)

    def why_nothing_is_kept(self, text: str, transcript: Transcript) -> str | None:
        """Why the reply is judged no further, if so."""
        if len(text) > self.options.longest_reply:
            return f"the reply has {len(text):,} characters, more than {self.options.longest_reply:,}"
        if self.options.compatible:
            return None
        if not says_something(text):
            return "the reply says nothing"
        asked = " ".join(" ".join(item_text(item) for item in transcript.prompt if item.get("role") == "user").split())
        rest = " ".join(text.split()).replace(asked, "") if asked else text
        return None if says_something(rest) else "the reply repeats its prompt and says nothing else"

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        yield from generated_rows(seed, n, options.difficulty)


def says_something(text: str) -> bool:
    return any(unicodedata.category(character)[0] in SAYS_SOMETHING for character in text)
