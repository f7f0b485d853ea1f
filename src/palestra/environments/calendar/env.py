"""Keep a calendar over several turns of a conversation: the list of the last reply must respect every constraint."""

from collections.abc import Iterator
from random import Random
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

import palestra
from palestra import Environment, Failure, Item, Task, Transcript, Verdict
from palestra.core.task import asked
from palestra.core.transcript import item_text

from .grading import Expected, grade_calendar
from .planning import make_task

RULES = """You keep the user's calendar for one day, between 10:00 and 16:00. It is empty at first.
- End each reply with the whole calendar as one JSON list, e.g. [{"event_id": 0, "event_name": "Lunch", \
"start_time": "12:00", "duration": 30}]. The start is written as HH:MM in 24 hours, the duration in minutes. If there \
are no events, write [].
- Events never overlap. Move others when a new wish needs their place, and ask nothing back.
- What the user wishes for an event holds until the end: "before 11am" means that it has ended by 11:00, "after 2pm" \
that it starts at 14:00 or later, "at 1pm" that it starts at 13:00.
"""

INLINE_CHARACTERS = 100_000
"""Longer replies are read by a grading worker, so that they hold up no other episode."""


class ExpectedEvent(BaseModel):
    """One event that the last calendar must hold."""

    model_config = ConfigDict(frozen=True, extra="allow")

    duration: int | float = Field(gt=0, allow_inf_nan=False)
    """Minutes."""
    constraint: str | None = None
    """`before T`, `after T`, `between T and T` or `at T`."""
    min_time: str
    """Start of the calendar's day, HH:MM."""
    max_time: str
    """End of the calendar's day, HH:MM."""
    event_name: str | None = None
    """Compared where the row has it."""


class Turn(BaseModel):
    """One message of the conversation so far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["user", "assistant"]
    content: str


class CalendarTask(Task):
    conversation: tuple[Turn, ...] = ()
    """What was said so far, the user last. Not needed in a row that brings its own prompt."""
    exp_cal_state: dict[str, ExpectedEvent]
    """The events of the last calendar by their id."""
    difficulty: int | None = None
    """1 to 5, as the option of this name says."""
    solution: tuple[dict[str, Any], ...] = ()
    """One calendar that is right; others may be, too."""


class Calendar(Environment[CalendarTask]):
    class Options(palestra.Options):
        difficulty: Literal[1, 2, 3, 4, 5] = 2
        """Of generated tasks: 1 to 3 add events and wishes, 4 and 5 make the last turn move what stands already."""
        compatible: bool = False
        """Judge as NeMo Gym does, also where that pays a wrong answer."""
        deadline_s: float = Field(default=10.0, gt=0)
        """Seconds for a reply of more than 100,000 characters."""

    def prompt(self) -> list[Item]:
        conversation = asked(self.task.conversation, "a conversation")
        turns = [{"type": "message", "role": turn.role, "content": turn.content} for turn in conversation]
        return [{"type": "message", "role": "system", "content": RULES}, *turns]

    def setup(self) -> None:
        self.expected = {
            key: Expected(event.duration, event.constraint, event.min_time, event.max_time, event.event_name)
            for key, event in self.task.exp_cal_state.items()
        }
        for key, event in self.expected.items():
            try:
                event.bounds(compatible=self.options.compatible)
            except ValueError as error:
                message = f"exp_cal_state.{key}: {error}; nothing can be right. Mend the row, or set compatible"
                raise Failure("environment", message, code="task-invalid") from error

    async def verify(self, transcript: Transcript) -> Verdict:
        compatible = self.options.compatible
        question = (last_text(transcript, first_part=compatible), self.expected, compatible)
        if len(question[0]) > INLINE_CHARACTERS:
            result = await self.context.grade(grade_calendar, *question, deadline_s=self.options.deadline_s)
        else:
            result = grade_calendar(*question)
        return Verdict(float(result.passed), metrics={"grade": result.name}, reason=result.reason)

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for index in range(n):
            yield make_task(Random(f"{seed}/{options.difficulty}/{index}"), options.difficulty)


def last_text(transcript: Transcript, *, first_part: bool) -> str:
    """The text of the last item, which must be a message of the model; of its first part, or of all parts."""
    last = transcript.output[-1] if transcript.output else {}
    if last.get("role") != "assistant":
        return ""
    content = last.get("content")
    if first_part and isinstance(content, list):
        return item_text({"content": content[:1]})
    return item_text(last)
