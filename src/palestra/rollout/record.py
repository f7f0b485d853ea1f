"""What a finished job leaves behind: one judged line of the rollouts file, or one line of the failures file."""

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from palestra.agents.tool_loop import Trajectory
from palestra.core.errors import Failure
from palestra.core.model import Usage
from palestra.core.task import BOOKKEEPING, content_of
from palestra.core.verdict import Verdict
from palestra.rollout.plan import Job
from palestra.wire.calls import call_object
from palestra.wire.response import response_object
from palestra.wire.rows import (
    AGENT_REF,
    ATTEMPT_INDEX,
    FAILURE_CLASS,
    PARAMS,
    ROLLOUT_INDEX,
    TASK_INDEX,
    agent_reference,
)
from palestra.wire.tokens import tokens_object

NOT_TASK = BOOKKEEPING | {PARAMS}
FORMAT_VERSION = 1
"""Version of the `palestra` object of a rollout line."""


@dataclass(slots=True)
class Progress:
    """What is known of a job while it runs; what is known so far is recorded also when it fails."""

    started_at: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    # `dict` alone has no type, and `dict[str, Any]` costs five times as much to call.
    params: dict[str, Any] = field(default_factory=lambda: {})  # noqa: PIE807
    """The `responses_create_params` that were dispatched."""
    open_s: float = 0.0
    verify_s: float = 0.0
    total_s: float = 0.0
    sandbox: str | None = None
    """The boundary in which the rollout's untrusted code runs, if it has any."""
    trajectory: Trajectory | None = None
    verdict: Verdict | None = None
    warnings: list[str] = field(default_factory=lambda: [])  # noqa: PIE807

    def timing(self) -> dict[str, float]:
        """Seconds a boundary took, to the microsecond."""
        trajectory = self.trajectory
        return {
            # The same as round(seconds, 6), which goes by way of decimal digits and costs four times as much.
            "open_s": round(self.open_s * 1e6) / 1e6,
            "model_s": round(trajectory.model_s * 1e6) / 1e6 if trajectory else 0.0,
            "step_s": round(trajectory.step_s * 1e6) / 1e6 if trajectory else 0.0,
            "verify_s": round(self.verify_s * 1e6) / 1e6,
            "total_s": round(self.total_s * 1e6) / 1e6,
        }


@dataclass(slots=True)
class Outcome:
    """A finished job: the line to store and which of the two files it belongs to."""

    job: Job
    line: dict[str, Any]
    verdict: Verdict | None
    failure: Failure | None
    output_tokens: int = 0
    total_s: float = 0.0


def judged(job: Job, progress: Progress, fingerprint: str) -> Outcome:
    """The line of a rollout that has a verdict."""
    trajectory, verdict = progress.trajectory, progress.verdict
    assert trajectory is not None
    assert verdict is not None
    response = response_object(
        key=job.key,
        model=trajectory.model,
        created_at=int(progress.started_at),
        output=trajectory.transcript.output,
        stop_reason=trajectory.end_reason,
        usage=trajectory.usage,
        params=progress.params,
    )
    timing = progress.timing()
    own = identity(job, progress, fingerprint)
    own["end_reason"] = trajectory.end_reason
    if verdict.reason is not None:
        own["reason"] = verdict.reason
    if verdict.components:
        own["components"] = sorted(verdict.components)
    if trajectory.transcript.step_rewards:
        own["step_rewards"] = list(trajectory.transcript.step_rewards)
    own["calls"] = [call_object(call) for call in trajectory.calls]
    own["usage"] = usage_counts(trajectory.usage)
    own["timing"] = timing
    if progress.warnings:
        own["warnings"] = progress.warnings
    if trajectory.trace is not None:
        own["tokens"] = tokens_object(trajectory.trace)
    line: dict[str, Any] = {PARAMS: progress.params, "response": response, "reward": verdict.reward}
    line.update(verdict.components)
    line.update(verdict.metrics)
    refer(line, job)
    line["palestra"] = own
    return Outcome(job, line, verdict, None, trajectory.usage.output_tokens, timing["total_s"])


def failed(job: Job, progress: Progress, fingerprint: str, failure: Failure) -> Outcome:
    """The line of a rollout that broke: the row as it was, and what broke. It has no reward."""
    timing = progress.timing()
    line = dict(job.row)
    refer(line, job)
    line[ATTEMPT_INDEX] = job.attempt
    line[FAILURE_CLASS] = failure.code
    line["palestra"] = {
        **identity(job, progress, fingerprint),
        "failure": {
            "boundary": failure.boundary,
            "class": failure.code,
            "message": failure.message[:4000],
            "attempt": job.attempt + 1,
            **author_traceback(failure),
        },
        "timing": timing,
    }
    usage = progress.trajectory.usage.output_tokens if progress.trajectory else 0
    return Outcome(job, line, None, failure, usage, timing["total_s"])


def author_traceback(failure: Failure) -> dict[str, str]:
    """Where an environment's code raised. What other boundaries raise may name addresses and keys."""
    if failure.code not in ("environment-error", "verifier-error") or failure.__cause__ is None:
        return {}
    return {"traceback": "".join(traceback.format_exception(failure.__cause__))[-4000:]}


def materialized(job: Job, progress: Progress) -> dict[str, Any]:
    """The row exactly as it was dispatched."""
    line = dict(job.row)
    line[PARAMS] = progress.params
    refer(line, job)
    line["palestra"] = {"key": job.key, "environment": job.environment, "task_hash": job.task_hash}
    return line


def usage_counts(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }


def refer(line: dict[str, Any], job: Job) -> None:
    """Have a line say what it belongs to."""
    own = job.row.get(AGENT_REF)
    line[AGENT_REF] = own if isinstance(own, dict) else agent_reference(job.environment)
    line[TASK_INDEX] = job.task_index
    line[ROLLOUT_INDEX] = job.rollout_index


def identity(job: Job, progress: Progress, fingerprint: str) -> dict[str, Any]:
    own: dict[str, Any] = {
        "version": FORMAT_VERSION,
        "key": job.key,
        "environment": job.environment,
        "task_hash": job.task_hash,
        "task": content_of(job.row, NOT_TASK),
        "seed": job.seed,
        "fingerprint": fingerprint,
    }
    if progress.sandbox is not None:
        own["sandbox"] = progress.sandbox
    own["started_at"] = round(progress.started_at * 1e3) / 1e3
    return own


def row_of(rollout: Mapping[str, Any]) -> dict[str, Any]:
    """The task row of a stored rollout: what it carried, without what the run added."""
    own = cast("dict[str, Any]", rollout.get("palestra") or {})
    if "task" in own:
        return {PARAMS: rollout[PARAMS], **own["task"]}
    return {name: value for name, value in rollout.items() if name not in ("response", "reward")}
