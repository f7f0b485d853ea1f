"""Deciding what plays a row: which environment, model, agent and sampling."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from palestra.agents.tool_loop import ToolLoop
from palestra.core.errors import Failure, suggestion
from palestra.core.model import Model, Sampling
from palestra.core.session import Host
from palestra.models.scripted import PerRollout
from palestra.rollout.engine import Lane
from palestra.rollout.plan import Job, Row
from palestra.wire.rows import AGENT_SUFFIX, agent_name, sampling_of

UNROUTED = "?"
"""The environment of rows that name one this run does not have."""


@dataclass(frozen=True)
class EnvironmentPlan:
    """An environment of a run and what is the same for all its rows."""

    host: Host
    agent: ToolLoop
    model: Model | PerRollout
    sampling: Sampling
    fingerprint: str
    sandbox: str | None = None
    """The boundary that its episodes run untrusted code in."""

    @cached_property
    def model_of(self) -> Callable[[Job], Model]:
        """The model that plays a job; found out once, as looking at a protocol costs more than a request."""
        model = self.model
        if not isinstance(model, PerRollout):
            return lambda job: model
        return lambda job: model.for_rollout(
            job.row, task_hash=job.task_hash, task_index=job.task_index, rollout_index=job.rollout_index
        )


@dataclass(frozen=True)
class ByEnvironment:
    """Routes rows by their `agent_ref`, or to the only environment of the run."""

    plans: Mapping[str, EnvironmentPlan]
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    """Agent instance names that stand for an environment, beyond `<environment>_simple_agent`."""

    def environment_of(self, row: Row) -> str:
        """The environment a row goes to. Rows that name none go to the only one, if there is one."""
        name = agent_name(row.content)
        if name is not None:
            for candidate in (name, name.removesuffix(AGENT_SUFFIX), self.aliases.get(name, "")):
                if candidate in self.plans:
                    return candidate
        return next(iter(self.plans)) if len(self.plans) == 1 else UNROUTED

    def fingerprint(self, job: Job) -> str:
        plan = self.plans.get(job.environment)
        return plan.fingerprint if plan else ""

    def __call__(self, job: Job) -> Lane:
        plan = self.plans.get(job.environment)
        if plan is None:
            raise self.unrouted(job)
        sampling = sampling_of(job.row, plan.sampling, seed=job.seed)
        return Lane(plan.host, plan.agent, plan.model_of(job), sampling, plan.sandbox)

    def unrouted(self, job: Job) -> Failure:
        known = ", ".join(sorted(self.plans))
        name = agent_name(job.row)
        if name is None:
            message = f"the row has no agent_ref, and this run has several environments: {known}"
        else:
            hint = suggestion(name.removesuffix(AGENT_SUFFIX), self.plans)
            message = f"the row's agent_ref names {name!r}, which is not one of this run's environments: {known}.{hint}"
        return Failure("environment", message, code="task-invalid")
