"""Mathematical questions, judged by comparing the boxed answer with the gold one symbolically."""

from pydantic import Field

import palestra
from palestra import Environment, Task, Transcript, Verdict
from palestra.grading.math import MathJudgement, judge, judge_at_once, judge_compatibly


class Problem(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt."""
    expected_answer: str
    """The gold answer, as LaTeX or plain text."""


class Mathematics(Environment[Problem]):
    class Options(palestra.Options):
        compatible: bool = False
        """Judge as loosely as NeMo Gym does: any answer that math-verify finds anywhere in the reply counts."""
        deadline_s: float = Field(default=5.0, gt=0)
        """CPU seconds for one judgement; an answer that needs more is wrong."""

    def prompt(self) -> str:
        if not self.task.question:
            raise ValueError("the row has neither a question nor responses_create_params")
        return f"{self.task.question}\n\nThink first, then put the final answer, and nothing else, inside \\boxed{{}}."

    async def verify(self, transcript: Transcript) -> Verdict:
        judgement = await self.judgement(transcript.text)
        return Verdict(
            float(judgement.equal),
            metrics={
                "expected_answer": self.task.expected_answer,
                "extracted_answer": judgement.extracted,
                "library_reward": float(judgement.equal),
                "judged": judgement.judged,
            },
            reason=judgement.reason,
        )

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
