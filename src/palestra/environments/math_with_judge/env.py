"""Mathematical questions: the boxed answer is compared with the gold one symbolically, then by a judge model."""

from typing import Literal

from pydantic import Field

from palestra import Task, Transcript, Verdict
from palestra.core.task import asked
from palestra.core.transcript import item_text
from palestra.grading.answers import last_boxed, without_reasoning
from palestra.grading.judge import Judge
from palestra.grading.judge_options import JudgeOptions
from palestra.grading.judge_prompt import JudgePrompt
from palestra.grading.judge_recording import EVALUATIONS
from palestra.grading.judged import JudgedEnvironment
from palestra.grading.math import MathJudgement, judge, judge_at_once, judge_compatibly

from . import prompts

UNDECIDED = frozenset({"unreadable", "refused", "no_answer"})
"""What the symbolic comparison could not decide."""


class Problem(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt."""
    expected_answer: str
    """The gold answer, as LaTeX or plain text."""


class Mathematics(JudgedEnvironment[Problem]):
    class Options(JudgeOptions):
        should_use_judge: bool = True
        """Ask a judge model where the symbolic comparison does not find the answers equal."""
        judge_on: Literal["not_equal", "doubt"] = "not_equal"
        """`doubt` asks only where the symbolic comparison could not decide."""
        compatible: bool = False
        """Judge as loosely as NeMo Gym does: any answer that math-verify finds anywhere in the reply counts, and of the
        judge's labels the first."""
        deadline_s: float = Field(default=5.0, gt=0)
        """CPU seconds for one symbolic comparison; an answer that needs more is not found equal."""

        @property
        def asks_judge(self) -> bool:
            return self.should_use_judge

        def prompt(self) -> JudgePrompt:
            return prompts.EQUIVALENCE

    def prompt(self) -> str:
        question = asked(self.task.question, "a question")
        return f"{question}\n\nThink first, then put the final answer, and nothing else, inside \\boxed{{}}."

    async def verify(self, transcript: Transcript) -> Verdict:
        judgement = await self.judgement(transcript.text)
        metrics = {
            "expected_answer": self.task.expected_answer,
            "extracted_answer": judgement.extracted,
            "library_reward": float(judgement.equal),
            "judged": judgement.judged,
        }
        if not self.options.should_use_judge:
            return Verdict(float(judgement.equal), metrics={**metrics, EVALUATIONS: None}, reason=judgement.reason)
        judge_model = Judge(self.context, self.options)
        equal, reason = judgement.equal, judgement.reason
        answer = self.answer_for_judge(judgement, transcript)
        # A recording that ends early was judged by what it holds.
        if answer and not judge_model.is_over:
            equal, reason = await self.asked(judge_model, self.question_of(transcript), answer)
        return Verdict(float(equal), metrics={**metrics, **judge_model.to_metrics()}, reason=reason)

    async def judgement(self, reply: str) -> MathJudgement:
        if not self.options.compatible and (found := judge_at_once(self.task.expected_answer, reply)):
            return found
        judging = judge_compatibly if self.options.compatible else judge
        deadline_s = self.options.deadline_s
        try:
            return await self.context.grade(judging, self.task.expected_answer, reply, deadline_s=deadline_s)
        except TimeoutError:
            # The gold answer passed the same bounds before, so that it is the reply which costs so much.
            reason = f"the answer could not be evaluated within {deadline_s:g} s"
            return MathJudgement(False, None, "refused", reason)
        except ValueError as error:
            if not self.options.should_use_judge:
                raise
            # A gold answer in words, or one that costs too much, is left to the judge.
            return MathJudgement(False, None, "unreadable", str(error))

    def answer_for_judge(self, judgement: MathJudgement, transcript: Transcript) -> str:
        """What the judge compares with the gold answer; empty if it is not to be asked."""
        if judgement.equal or judgement.judged == "no_gold":
            return ""
        if self.options.compatible:
            return judgement.extracted or transcript.text
        # Several answers at once are wrong, whatever a judge thinks of them.
        if judgement.judged == "hedged" or (self.options.judge_on == "doubt" and judgement.judged not in UNDECIDED):
            return ""
        text = without_reasoning(transcript.text).strip()
        return (last_boxed(text) or text).strip()

    async def asked(self, judge_model: Judge, question: str, answer: str) -> tuple[bool, str]:
        """Whether the judge finds both answers equivalent in both orders, and why."""
        gold = self.task.expected_answer
        if not (await judge_model.compare(question, gold, answer)).is_equal:
            return False, "the judge finds the answers different"
        if judge_model.is_over:
            return True, "the judge finds the answers equivalent"
        if (await judge_model.compare(question, answer, gold, candidate=answer)).is_equal:
            return True, "the judge finds the answers equivalent in both orders"
        return False, "the judge finds the answers equivalent in one order only"

    def question_of(self, transcript: Transcript) -> str:
        asked = [item_text(item) for item in transcript.prompt if item.get("role") == "user"]
        return self.task.question or (asked[-1] if asked else "")
