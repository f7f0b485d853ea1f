"""Mend a program in a shell: one command a reply, until a patch is submitted that the tests of the issue judge."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import Field, field_validator

import palestra
from palestra import Context, Environment, Item, Step, Task, Transcript, Verdict
from palestra.core.sandbox import Limits, Run
from palestra.core.task import asked
from palestra.core.tools import answered
from palestra.core.transcript import function_calls, is_assistant_message, item_text, user_message
from palestra.environments.mini_swe_agent.episode import TESTBED, Repository, not_here
from palestra.environments.mini_swe_agent.images import evaluate_in_image
from palestra.environments.mini_swe_agent.prompts import opening
from palestra.environments.mini_swe_agent.report import reward_of
from palestra.grading.answers import without_reasoning
from palestra.grading.repositories import Instance, instance_named
from palestra.grading.repository_runs import Evaluation, evaluate
from palestra.wire.mini_swe import commands_of, format_error, is_answer, observation, submission_of

PROCESSORS = 4
"""A command may use the time of so many."""
PROCESSES = 128
OPEN_FILES = 1024
FILE_SIZE_MB = 256
OUTPUT_BYTES = 4 << 20
LONGEST_COMMAND_BYTES = 100_000
"""The system takes 128 KiB as one argument."""
TIMED_OUT = "The command was ended after {seconds:g} s. Choose one that ends by itself and asks for no input."
TOO_MUCH_MEMORY = "The command was ended, as it used more than {memory_mb} MiB of memory."


class SweTask(Task):
    instance_id: str
    """Of one of the shipped repositories, or of SWE-Gym's rows; then an image is needed."""
    problem_statement: str = ""
    """The issue. Not needed in a row of a shipped repository."""
    repo: str = ""
    """The repository's name."""
    image: str | None = None
    """The container image that holds the repository at /testbed, instead of the one that the options name."""
    patch: str = ""
    """The repair. Neither shown nor needed for judging."""
    test_patch: str = ""
    """What makes the tests show the issue; applied for judging."""
    FAIL_TO_PASS: list[str] = Field(default_factory=list[str])
    """Ids of the tests that only the repaired program passes, as a list or as JSON text."""
    PASS_TO_PASS: list[str] = Field(default_factory=list[str])
    """Ids of the tests that pass before and after."""

    @property
    def fail_to_pass(self) -> tuple[str, ...]:
        return tuple(self.FAIL_TO_PASS)

    @property
    def pass_to_pass(self) -> tuple[str, ...]:
        return tuple(self.PASS_TO_PASS)

    @field_validator("FAIL_TO_PASS", "PASS_TO_PASS", mode="before")
    @classmethod
    def listed(cls, value: Any) -> Any:
        """SWE-bench writes the lists as JSON text."""
        return json.loads(value) if isinstance(value, str) else value


class MiniSwe(Environment[SweTask]):
    # NeMo Gym's rows bring an empty input.
    adds_to_rows = True

    class Options(palestra.Options):
        image_template: str | None = None
        """The image of rows that bring none, such as `xingyaoww/sweb.eval.x86_64.{image_id}:latest` or
        `/images/{instance_id}.sif`; `image_id` is the instance's id as image names can hold it."""
        step_timeout_s: float = Field(default=600.0, gt=0)
        """Of one command."""
        eval_timeout_s: float = Field(default=1800.0, gt=0)
        """Of all tests of a submission; tests that are not done by then have failed."""
        step_limit: int = Field(default=250, ge=1)
        """Replies in an episode. `--max-steps` may end it earlier."""
        collapse_limit: int = Field(default=3, ge=2)
        """From so many times in a row that the same command is run, the model is told to try another."""
        memory_mb: int = Field(default=2048, ge=64)
        """Of one command, in MiB."""

        @field_validator("image_template")
        @classmethod
        def can_be_filled(cls, value: str | None) -> str | None:
            try:
                if value is not None:
                    filled(value, "a__b-1")
            except (LookupError, ValueError, AttributeError) as error:
                raise ValueError(f"{value!r} may hold {{instance_id}} and {{image_id}}, and nothing else") from error
            return value

    def __init__(self, task: SweTask, context: Context, options: Options) -> None:
        super().__init__(task, context, options)
        self.instance = shipped(task.instance_id)
        self.image = None if self.instance is not None else image_of(task, options.image_template)
        self.repository = Repository(context.sandbox, self.instance, self.image, self.limits(options.step_timeout_s))
        self.steps = 0
        self.last_command = ""
        self.repeated = 0

    def limits(self, seconds: float) -> Limits:
        """Of one command that may take so long."""
        return Limits(
            cpu_s=seconds * PROCESSORS,
            wall_s=seconds,
            memory_mb=self.options.memory_mb,
            processes=PROCESSES,
            file_size_mb=FILE_SIZE_MB,
            open_files=OPEN_FILES,
            output_bytes=OUTPUT_BYTES,
        )

    def prompt(self) -> list[Item]:
        issue = self.task.problem_statement or (self.instance.problem_statement if self.instance else "")
        return opening(
            asked(issue, "a problem_statement"),
            folder=TESTBED if self.image else "the current folder",
            step_timeout_s=self.options.step_timeout_s,
            step_limit=self.options.step_limit,
        )

    async def step(self, items: Sequence[Item]) -> Step:
        """Run the command of a reply. The episode is done when a patch is submitted, or after `step_limit` replies."""
        self.steps += 1
        outputs = [await answered(call, self.run_tool) for call in function_calls(items)]
        said = "".join(item_text(item) for item in items if is_assistant_message(item))
        commands = commands_of(without_reasoning(said))
        if len(commands) == 1:
            answer, is_submitted = await self.answer_to(commands[0])
        else:
            answer, is_submitted = format_error(len(commands)), False
        done = is_submitted or self.steps >= self.options.step_limit
        return Step((*outputs, user_message(answer)), done=done)

    async def answer_to(self, command: str) -> tuple[str, bool]:
        """What a command is answered, and whether that is what it submitted."""
        problem = unusable(command)
        if problem is not None:
            return observation(-1, "", exception=problem), False
        run = await self.repository.run(command)
        submission = submission_of(run.output) if run.ok else None
        return (self.observed(command, run), False) if submission is None else (submission, True)

    def observed(self, command: str, run: Run) -> str:
        self.repeated = self.repeated + 1 if command == self.last_command else 1
        self.last_command = command
        exit_code = -1 if run.exit_code is None else run.exit_code
        repeated = self.repeated if self.repeated >= self.options.collapse_limit else 0
        return observation(exit_code, run.output, exception=self.ended_by(run), repeated=repeated)

    def ended_by(self, run: Run) -> str | None:
        """Why a command did not end by itself, in words for the model."""
        if run.status in ("wall_limit", "cpu_limit"):
            return TIMED_OUT.format(seconds=self.options.step_timeout_s)
        if run.status == "memory_limit":
            return TOO_MUCH_MEMORY.format(memory_mb=self.options.memory_mb)
        return None

    async def verify(self, transcript: Transcript) -> Verdict:
        # Given back first: episodes that hold a workspace each and wait for another would wait for each other.
        await self.repository.close()
        patch = submitted(transcript)
        found = {"patch_is_None": patch is None, "patch_exists": bool(patch), "resolved": False}
        reason = "nothing was submitted"
        if patch is not None:
            evaluation = await self.evaluated(patch)
            found |= evaluation.as_report(self.instance or self.task)
            reason = evaluation.reason or failing(found)
        metadata = {"eval_report": {self.task.instance_id: found}}
        metrics = {"instance_id": self.task.instance_id, "metadata": metadata}
        return Verdict(reward_of(metadata, self.task.instance_id), metrics=metrics, reason=reason)

    async def evaluated(self, patch: str) -> Evaluation:
        limits = self.limits(self.options.eval_timeout_s)
        if self.instance is not None:
            return await evaluate(self.context.sandbox, self.instance, patch, limits=limits)
        if self.image is None:
            raise not_here()
        tests = (self.task.fail_to_pass, self.task.pass_to_pass)
        return await evaluate_in_image(
            self.context.sandbox, self.image, patch, test_patch=self.task.test_patch, tests=tests, limits=limits
        )

    async def close(self) -> None:
        await self.repository.close()


def unusable(command: str) -> str | None:
    """Why no shell can be given a command, if so."""
    if "\0" in command:
        return "A command cannot hold the character NUL."
    length = len(command.encode(errors="replace"))
    if length > LONGEST_COMMAND_BYTES:
        return f"The command has {length} bytes; at most {LONGEST_COMMAND_BYTES} can be run at once."
    return None


def submitted(transcript: Transcript) -> str | None:
    """The patch that a conversation ended with, or None if nothing was submitted."""
    last = transcript.output[-1] if transcript.output else {}
    text = item_text(last)
    return None if last.get("role") != "user" or is_answer(text) else text


def failing(report: Mapping[str, Any]) -> str | None:
    """Which tests keep an instance from being resolved, in words."""
    failed = [test for status in report["tests_status"].values() for test in status["failure"]]
    return f"{len(failed)} tests fail, such as {failed[0]}" if failed else None


def shipped(instance_id: str) -> Instance | None:
    """The instance of that name among those that come with Palestra."""
    with suppress(KeyError):
        return instance_named(instance_id)
    return None


def image_of(task: SweTask, template: str | None) -> str | None:
    """The image of a row: its own, or the one that the options name."""
    return task.image if task.image or template is None else filled(template, task.instance_id)


def filled(template: str, instance_id: str) -> str:
    # Two underscores in a row cannot be in an image's name; SWE-Gym writes them so.
    return template.format(instance_id=instance_id, image_id=instance_id.lower().replace("__", "_s_"))
