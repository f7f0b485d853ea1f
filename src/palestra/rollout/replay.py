"""A fresh episode lives through a stored conversation again."""

from collections.abc import Mapping
from typing import Any

from palestra.core.errors import Failure
from palestra.core.session import Session
from palestra.wire.calls import turns_of


async def replay_turns(session: Session, rollout: Mapping[str, Any]) -> list[float]:
    """Let the episode live through the model's turns again; the step rewards it gives."""
    try:
        turns = turns_of(rollout)
    except ValueError as error:
        raise Failure("environment", str(error), code="task-invalid") from None
    rewards: list[float] = []
    for turn in turns:
        # A cut reply ended its rollout without a step.
        if turn.stop_reason in ("max_output_tokens", "content_filter"):
            break
        step = await session.step(turn.items)
        if step.reward is not None:
            rewards.append(step.reward)
        if step.done:
            break
    return rewards
