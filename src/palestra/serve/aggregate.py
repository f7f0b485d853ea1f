"""The metrics of judged rollouts that a client sends, as NeMo Gym's servers work them out for their collector."""

from collections.abc import Mapping, Sequence
from typing import Any

from palestra.monitor.columns import AgentColumns
from palestra.monitor.group_lines import group_lines
from palestra.monitor.metrics import agent_entry
from palestra.wire.encoding import encode
from palestra.wire.rows import TASK_INDEX


def aggregated(rollouts: Sequence[Mapping[str, Any]], answer_key: str | None) -> bytes:
    """`{"group_level_metrics": [...], "agent_metrics": {...}, "key_metrics": {...}}` (wire format, section 5.6).

    A rollout without `_ng_task_index` is a task of its own. Raises ValueError for an index that is no 64-bit integer.
    """
    agent = AgentColumns()
    for number, rollout in enumerate(rollouts):
        try:
            agent.add(rollout, int(rollout.get(TASK_INDEX, number)), answer_key=answer_key)
        except (TypeError, OverflowError, AttributeError) as error:
            raise ValueError(f"verify_responses.{number} is not laid out as a rollout: {error}") from error
    agent.arrange()
    entry = agent_entry("", agent) if rollouts else {"agent_metrics": {}, "key_metrics": {}}
    groups = b",".join(group.content for group in group_lines(agent, {})) if rollouts else b""
    told = {"agent_metrics": entry["agent_metrics"], "key_metrics": entry["key_metrics"]}
    return b'{"group_level_metrics":[' + groups + b"]," + encode(told)[1:]
