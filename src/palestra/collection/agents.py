"""The agents that a run can be played by."""

from types import MappingProxyType

from palestra.agents.latest_state import LatestStateLoop
from palestra.agents.mini_swe import MiniSweAgent
from palestra.agents.tool_loop import AgentLimits, ToolLoop
from palestra.collection.config import CollectConfig
from palestra.core.discovery import Source
from palestra.core.errors import PalestraError, suggestion

AGENTS = MappingProxyType(
    {
        "tool_loop": ToolLoop,
        "simple_agent": ToolLoop,
        "latest_state_loop": LatestStateLoop,
        "mini_swe_agent": MiniSweAgent,
    }
)
"""Agents by name; NeMo Gym's names are accepted."""


def agent_of(source: Source, config: CollectConfig) -> ToolLoop:
    """The agent that plays an environment: the one a run names, else the environment's own.

    Raises PalestraError if there is none of that name, or if it needs a package that is missing.
    """
    name = config.agent or source.manifest.agent
    if name not in AGENTS:
        asked = "" if config.agent else f"{source.name} asks for an agent that is unknown here: "
        raise PalestraError("usage", f"{asked}no agent is named {name!r}.{suggestion(name, AGENTS)}")
    return AGENTS[name](AgentLimits(config.max_steps, config.max_rollout_tokens, config.time_limit_s))
