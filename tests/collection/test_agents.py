"""Which agent plays an environment."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("minisweagent.agents.default", reason="mini-swe-agent is not installed")

from palestra.agents.latest_state import LatestStateLoop
from palestra.agents.mini_swe import MiniSweAgent
from palestra.agents.tool_loop import AgentLimits, ToolLoop
from palestra.collection.agents import AGENTS, agent_of
from palestra.collection.config import CollectConfig, ModelChoice
from palestra.core.discovery import every_environment, find
from palestra.core.errors import PalestraError


def config(agent: str | None = None) -> CollectConfig:
    return CollectConfig(
        environments=("mcqa",), output=Path("out.jsonl"), model=ModelChoice(spec="embedded"), agent=agent, max_steps=7
    )


@pytest.mark.parametrize(
    ("environment", "named", "kind"),
    [
        ("mini_swe_agent", None, MiniSweAgent),
        ("mini_swe_agent", "tool_loop", ToolLoop),
        ("mcqa", None, ToolLoop),
        ("mcqa", "simple_agent", ToolLoop),
        ("aviary", "latest_state_loop", LatestStateLoop),
    ],
)
def test_the_one_that_is_named_else_the_environments_own(environment: str, named: str | None, kind: type) -> None:
    agent = agent_of(find(environment), config(named))
    assert type(agent) is kind
    assert agent.limits == AgentLimits(max_steps=7)


def test_every_environment_names_one_that_exists() -> None:
    assert {source.manifest.agent for source in every_environment()} <= set(AGENTS)


def test_an_unknown_one_is_told_with_the_nearest() -> None:
    with pytest.raises(PalestraError, match="Did you mean 'tool_loop'"):
        agent_of(find("mcqa"), config("toolloop"))
    source = find("mcqa")
    other = replace(source, manifest=source.manifest.model_copy(update={"agent": "mini_swe"}))
    with pytest.raises(PalestraError, match=r"mcqa asks for an agent .* Did you mean 'mini_swe_agent'"):
        agent_of(other, config())
