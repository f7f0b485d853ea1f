"""Repairing code, or writing the script that shows an issue; judged by running tests or the script."""

import time
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

import palestra
from palestra import Environment, Task, Transcript, Verdict
from palestra.core.errors import Failure, PalestraError
from palestra.core.task import asked
from palestra.core.transcript import is_assistant_message, item_text
from palestra.grading.answers import without_reasoning
from palestra.grading.edit_blocks import EditError, patch_of_reply
from palestra.grading.repositories import Instance, instance_named
from palestra.grading.repository_runs import evaluate, reproduction_codes
from palestra.grading.reproduction import Reproduction, reproduces, reproduction_of

from .image_runs import repaired_in_image, reproduced_in_image
from .outcome import Outcome, of_resolution
from .prompts import REPAIR, REPRODUCTION, files_text
from .rows import Issue, Surroundings

EXTRACTION_S = 10.0
OWN_PARSERS = frozenset({"parsing_script.py", "parsing_script"})


class CodeIssue(Task):
    instance: Issue
    """The issue: repository, tests, and the patch that repaired it."""
    metadata: Surroundings = Surroundings()
    """What the model is shown of the repository, and where it runs."""
    mode: Literal["eval", "repro-gen"] = "eval"
    """Whether the reply repairs the code or is a script that shows the issue."""


class SweRlGen(Environment[CodeIssue]):
    class Options(palestra.Options):
        sandbox_timeout: float = Field(default=600.0, gt=0)
        """Seconds for one judgement in an image; judging a shipped repository has bounds of its own."""
        relaxed_formatting: bool = False
        """Do without <solution> tags."""
        compatible: bool = False
        """Read edits and scripts as NeMo Gym does, also where they stand in unfinished reasoning."""

    @property
    def shipped(self) -> Instance:
        return instance_named(self.task.instance.instance_id)

    @property
    def files(self) -> Mapping[str, str]:
        """The files that the reply is about."""
        given = self.task.metadata.relevant_file_contents
        return given if given or self.task.metadata.image else self.shipped.source_files

    def setup(self) -> None:
        issue = self.task.instance
        if self.task.metadata.image is None:
            try:
                instance_named(issue.instance_id)
            except KeyError as error:
                message = f"instance_id: {error.args[0]} A row about another repository needs metadata.image."
                raise Failure("environment", message, code="task-invalid") from error
        elif self.task.mode == "eval" and not (issue.FAIL_TO_PASS or issue.PASS_TO_PASS):
            message = "instance: neither FAIL_TO_PASS nor PASS_TO_PASS names a test, so that any patch would pass"
            raise Failure("environment", message, code="task-invalid")
        own = OWN_PARSERS & (issue.model_extra or {}).keys()
        if own and self.task.metadata.image:
            message = f"instance: {min(own)} is given, and logs are only read by parsers of pytest, Django and SymPy"
            raise Failure("environment", message, code="task-invalid")

    def prompt(self) -> str:
        issue = asked(self.task.instance.problem_statement, "a problem_statement")
        form = REPAIR if self.task.mode == "eval" else REPRODUCTION
        return form.format(issue=issue.strip(), files=files_text(self.files))

    async def verify(self, transcript: Transcript) -> Verdict:
        spoken = [item_text(item) for item in transcript.output if is_assistant_message(item)]
        text = "\n".join(spoken).strip()
        return await (self.repair(text) if self.task.mode == "eval" else self.reproduction(text))

    def spoken(self, text: str) -> str:
        return text if self.options.compatible else without_reasoning(text)

    async def repair(self, text: str) -> Verdict:
        metadata = self.task.metadata
        try:
            patch = await self.context.grade(
                extracted_patch,
                self.spoken(text),
                dict(self.files),
                self.options.relaxed_formatting,
                metadata.remove_repo_name,
                deadline_s=EXTRACTION_S,
            )
        except EditError as error:
            return verdict(text, reason=str(error))
        began = time.monotonic()
        outcome = await self.in_sandbox(patch)
        return verdict(text, outcome, time.monotonic() - began, patch=patch, reason=outcome.reason)

    async def reproduction(self, text: str) -> Verdict:
        found = await self.context.grade(reproduction_of, self.spoken(text), deadline_s=EXTRACTION_S)
        if found is None:
            return verdict(text, reason="there is no script in the reply")
        began = time.monotonic()
        outcome = await self.in_sandbox(found)
        gold = self.task.instance.patch if self.task.metadata.image else self.shipped.patch
        coded = found.as_base64(self.task.instance.instance_id)
        return verdict(text, outcome, time.monotonic() - began, patch=gold, coded=coded, reason=outcome.reason)

    async def in_sandbox(self, answer: str | Reproduction) -> Outcome:
        image, issue = self.task.metadata.image, self.task.instance
        if image is None:
            return await self.in_shipped(answer)
        try:
            if isinstance(answer, str):
                return await repaired_in_image(self.context.sandbox, image, issue, answer, self.options.sandbox_timeout)
            return await reproduced_in_image(self.context.sandbox, image, issue, answer, self.options.sandbox_timeout)
        except PalestraError as error:
            # The other rows of the run may do without an image.
            raise Failure("sandbox", error.message, code=error.code) from error

    async def in_shipped(self, answer: str | Reproduction) -> Outcome:
        if isinstance(answer, str):
            evaluation = await evaluate(self.context.sandbox, self.shipped, answer)
            return of_resolution(evaluation.resolution, evaluation.status, evaluation.reason)
        before, after = await reproduction_codes(self.context.sandbox, self.shipped, answer.path, answer.script)
        return Outcome(float(reproduces(before, after)), "done", before=before, after=after)


def extracted_patch(text: str, files: dict[str, str], relaxed: bool, drops_first_folder: bool) -> str:
    """`patch_of_reply` in a form that a worker can be asked for."""
    return patch_of_reply(text, files, relaxed=relaxed, drops_first_folder=drops_first_folder)


def verdict(
    text: str,
    outcome: Outcome | None = None,
    seconds: float | None = None,
    *,
    patch: str | None = None,
    coded: str | None = None,
    reason: str | None = None,
) -> Verdict:
    """The verdict with NeMo Gym's further fields; without an outcome nothing was run."""
    metrics: dict[str, Any] = {
        "verification_result": None if outcome is None else outcome.as_result(),
        "verification_time": None if seconds is None else round(seconds, 3),
        "model_patch": patch,
        "repro_test_info_base64": coded,
        "model_output": text,
    }
    return Verdict(0.0 if outcome is None else outcome.reward, metrics=metrics, reason=reason)
