"""A row goes where its agent_ref says; one that cannot be placed is a failure that says what there is."""

from typing import Any

import pytest

from palestra.agents.tool_loop import ToolLoop
from palestra.core.errors import Failure
from palestra.core.model import Sampling
from palestra.models.scripted import ScriptedModel
from palestra.rollout.plan import Job, Row
from palestra.rollout.route import UNROUTED, ByEnvironment, EnvironmentPlan


class NoHost:
    async def open(self, row: Any, *, seed: int) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        return


def route(*names: str, sampling: Sampling | None = None, **aliases: str) -> ByEnvironment:
    model = ScriptedModel({"*": ["yes"]})
    plans = {
        name: EnvironmentPlan(NoHost(), ToolLoop(), model, sampling or Sampling(), f"print of {name}", f"around {name}")
        for name in names
    }
    return ByEnvironment(plans, aliases)


def row(agent: Any = None, **fields: Any) -> Row:
    return Row({**fields, **({} if agent is None else {"agent_ref": {"name": agent}})}, "line 1")


def job(given: Row, environment: str) -> Job:
    return Job(given.content, environment, "h", 0, 0, 0, 77)


@pytest.mark.parametrize(
    ("agent", "environment"),
    [("mcqa", "mcqa"), ("mcqa_simple_agent", "mcqa"), ("math_agent", "math"), ("other", UNROUTED), (None, UNROUTED)],
)
def test_rows_of_several_environments_go_where_their_agent_ref_says(agent: str | None, environment: str) -> None:
    assert route("mcqa", "math", math_agent="math").environment_of(row(agent)) == environment


@pytest.mark.parametrize("agent", [None, "mcqa_simple_agent", "another_simple_agent", 7])
def test_the_only_environment_of_a_run_takes_every_row(agent: Any) -> None:
    assert route("mcqa").environment_of(row(agent)) == "mcqa"


def test_an_unknown_agent_ref_is_an_invalid_task_with_the_nearest_name() -> None:
    given = row("mcqq_simple_agent")
    with pytest.raises(Failure, match=r"'mcqq_simple_agent'.*: math, mcqa\. Did you mean 'mcqa'\?") as caught:
        route("mcqa", "math")(job(given, UNROUTED))
    assert (caught.value.boundary, caught.value.code) == ("environment", "task-invalid")


def test_a_row_without_agent_ref_in_a_run_of_several_environments_is_an_invalid_task() -> None:
    with pytest.raises(Failure, match="no agent_ref, and this run has several environments: math, mcqa"):
        route("mcqa", "math")(job(row(), UNROUTED))


def test_the_runs_sampling_overrides_the_rows_and_the_seed_is_the_rollouts() -> None:
    params = {"input": "?", "temperature": 0.1, "top_p": 0.5, "seed": 3}
    lane = route("mcqa", sampling=Sampling(temperature=0.9))(job(row(responses_create_params=params), "mcqa"))
    assert (lane.sampling.temperature, lane.sampling.top_p, lane.sampling.seed) == (0.9, 0.5, 77)
    assert lane.sandbox == "around mcqa"


def test_what_cannot_be_routed_has_no_fingerprint() -> None:
    assert route("mcqa").fingerprint(job(row(), UNROUTED)) == ""
