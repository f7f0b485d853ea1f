"""Questions with short answers in free form; a judge model compares them with the gold answer."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from palestra import Task, Transcript, Verdict
from palestra.core.task import asked
from palestra.core.transcript import is_assistant_message, item_text
from palestra.grading.answers import message_parts, tagged, without_reasoning
from palestra.grading.extraction import last_match
from palestra.grading.judge import Judge
from palestra.grading.judge_options import JudgeOptions
from palestra.grading.judge_prompt import DIFFERENT_LABEL, EQUAL_LABEL, JudgePrompt, equivalence
from palestra.grading.judge_protocol import Choice
from palestra.grading.judged import JudgedEnvironment

FINAL_ANSWER = "final_answer"
"""The tags between which rows without a prompt of their own ask for the answer."""


class TemplateMetadata(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    output_regex: str | None = None
    """Finds the answer in the reply: the last match, its first group that holds something."""


class Metadata(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    expected_answer: str = ""


class Question(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt; the judge reads the prompt's last user message."""
    expected_answer: str = ""
    """The gold answer; some rows have it as `metadata.expected_answer`."""
    metadata: Metadata | None = None
    """Further facts about the row."""
    template_metadata: TemplateMetadata | None = None
    """Says how the answer is found in the reply."""
    responses_create_params: dict[str, Any] | None = None
    """The row's own prompt, in NeMo Gym's format."""

    @property
    def gold(self) -> str:
        return self.expected_answer or (self.metadata.expected_answer if self.metadata else "")

    @property
    def output_regex(self) -> str | None:
        return self.template_metadata.output_regex if self.template_metadata else None

    @model_validator(mode="after")
    def judgeable(self) -> Self:
        if not self.gold.strip():
            raise ValueError("the row has neither expected_answer nor metadata.expected_answer")
        return self


class Equivalence(JudgedEnvironment[Question]):
    class Options(JudgeOptions):
        judge_prompt_template: str | None = None
        """What the judge is asked, with the slots {question}, {expected_answer} and {generated_answer}."""
        judge_prompt_template_fpath: str = "prompt_templates/equivalence_llm_judge.txt"
        """The file with the template, in this folder or by its path; `judge_prompt_template` comes before it."""
        judge_system_message: str | None = None
        """Said to the judge before its question."""
        judge_equal_label: str = Field(default=EQUAL_LABEL, min_length=1)
        """The bracket protocol's label for equivalent answers."""
        judge_not_equal_label: str = Field(default=DIFFERENT_LABEL, min_length=1)
        """The bracket protocol's label for answers that are not equivalent."""
        question_extract_regex: str | None = None
        """Finds the question in the last user message."""
        response_extract_regex: str | None = None
        """Finds the answer in replies to rows that bring their own prompt; their own output_regex comes first."""
        use_per_record_regex: bool = True
        """Heed `template_metadata.output_regex` of rows."""
        extraction_length_threshold: int = Field(default=120, ge=0)
        """Gold answers with more characters are compared with the whole reply, in one order, if the row has a regex."""
        check_twice_swap: bool = True
        """Ask again with gold and answer in each other's place; both verdicts must be `equal`."""
        reward_if_swap_fails: float = Field(default=0.0, ge=-1, le=1)
        """The reward of an answer that is `equal` in one order only."""
        check_full_generation_on_fail: bool = True
        """Where the answer that a row's regex found is not equal, judge the whole reply."""
        reward_if_full_generation_succeeds: float = Field(default=0.5, ge=-1, le=1)
        """The reward of a reply that is equal as a whole, though its extracted answer is not."""
        msg_extraction_failure: str = "[NO VALID ANSWER EXTRACTED]"
        """`compatible` only: what the judge is shown where the model said nothing."""
        regex_deadline_s: float = Field(default=10.0, gt=0)
        """CPU seconds for a regex; beyond it the rollout fails and is not judged."""

        def prompt(self) -> JudgePrompt:
            text = self.judge_prompt_template
            return JudgePrompt(
                template_of(self.judge_prompt_template_fpath) if text is None else text, self.judge_system_message
            )

        def verdicts(self) -> tuple[Choice, ...]:
            return equivalence(self.judge_equal_label, self.judge_not_equal_label)

        @model_validator(mode="after")
        def usable(self) -> Self:
            self.prompt()
            return self

    def prompt(self) -> str:
        question = asked(self.task.question, "a question")
        where = f"between <{FINAL_ANSWER}> and </{FINAL_ANSWER}>"
        return f"{question}\n\nThink first, then write the final answer, and nothing else, {where}."

    async def verify(self, transcript: Transcript) -> Verdict:
        whole = self.reply_of(transcript)
        judge = Judge(self.context, self.options)
        if not whole:
            return self.verdict(judge, 0.0, None, "the reply has no text")
        answer = await self.answer_in(whole)
        reward, reason = await self.rewarded(judge, await self.question_of(transcript), answer, whole)
        return self.verdict(judge, reward, answer, reason)

    def verdict(self, judge: Judge, reward: float, answer: str | None, reason: str) -> Verdict:
        metrics = {"expected_answer": self.task.gold, "extracted_answer": answer, **judge.to_metrics()}
        return Verdict(reward, metrics=metrics, reason=reason)

    async def rewarded(self, judge: Judge, question: str, answer: str, whole: str) -> tuple[float, str]:
        """The reward and why; a recording that ends early was judged by what it holds."""
        options, gold = self.options, self.task.gold
        if (await judge.compare(question, gold, answer)).is_equal:
            if not options.check_twice_swap or self.is_too_long or judge.is_over:
                return 1.0, "the judge finds the answer equivalent"
            if (await judge.compare(question, answer, gold, candidate=answer)).is_equal:
                return 1.0, "the judge finds the answers equivalent in both orders"
            return options.reward_if_swap_fails, "the judge finds the answers equivalent in one order only"
        if not self.may_rescue(answer, whole) or judge.is_over:
            return 0.0, "the judge finds the answer different"
        if (await judge.compare(question, gold, whole)).is_equal:
            reason = "the judge finds the whole reply equivalent, but not the answer in it"
            return options.reward_if_full_generation_succeeds, reason
        return 0.0, "the judge finds the answer and the whole reply different"

    def may_rescue(self, answer: str, whole: str) -> bool:
        """Whether the whole reply is judged where the answer that the row's regex found in it was not equal."""
        differs = answer != whole or self.options.compatible
        wanted = self.options.check_full_generation_on_fail and self.row_regex is not None
        return wanted and differs and not self.is_too_long

    @property
    def row_regex(self) -> str | None:
        return self.task.output_regex if self.options.use_per_record_regex else None

    @property
    def is_too_long(self) -> bool:
        """Whether the gold answer is too long for what the row's regex finds."""
        return self.row_regex is not None and len(self.task.gold) > self.options.extraction_length_threshold

    async def answer_in(self, whole: str) -> str:
        """The answer of a reply: what the regex finds in it, or what stands between our own prompt's tags."""
        if self.is_too_long:
            return whole
        if self.row_regex is None and self.task.responses_create_params is None:
            return tagged(whole, FINAL_ANSWER) or whole
        return await self.found(whole, self.row_regex or self.options.response_extract_regex)

    def reply_of(self, transcript: Transcript) -> str:
        """The last message of the model, its parts on lines of their own, without reasoning."""
        messages = [item for item in transcript.output if is_assistant_message(item)]
        text = "\n".join(message_parts(messages[-1])).strip() if messages else ""
        if self.options.compatible:
            return text or self.options.msg_extraction_failure
        return without_reasoning(text).strip()

    async def question_of(self, transcript: Transcript) -> str:
        asked = [item_text(item) for item in transcript.prompt if item.get("role") == "user"]
        return await self.found(asked[-1].strip() if asked else "", self.options.question_extract_regex)

    async def found(self, text: str, pattern: str | None) -> str:
        """What a pattern finds; the whole text without one."""
        if pattern is None:
            return text
        return await self.context.grade(last_match, text, pattern, deadline_s=self.options.regex_deadline_s)


@lru_cache(maxsize=32)
def template_of(path: str) -> str:
    """A template's file, of the user or of this folder. Raises ValueError if it cannot be read."""
    own = Path(__file__).parent / path
    try:
        return (own if own.is_file() else Path(path)).read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the template {path} cannot be read: {error}") from error
