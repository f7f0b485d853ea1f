"""The tool loop for environments that repeat their state: the model is shown only the latest one."""

from collections.abc import Sequence
from dataclasses import dataclass

from palestra.agents.tool_loop import ToolLoop, Trajectory
from palestra.core.model import Item, Model, Reply, Sampling, TokenTrace, ToolSchema
from palestra.core.session import Session
from palestra.core.transcript import ENV_STATE


@dataclass(frozen=True, slots=True)
class LatestStateLoop(ToolLoop):
    """A tool loop; older messages that carry the mark of a state are sent as `old_state_message`.

    The rollout keeps all of them. It does not go with token ids: a prompt that changes does not continue the last one.
    """

    old_state_message: str = "[Previous environment state - hidden]"

    async def run(self, session: Session, model: Model, sampling: Sampling) -> Trajectory:
        # Written out, as `super()` needs a cell that a class with slots does not have.
        return await ToolLoop.run(self, session, LatestState(model, self.old_state_message), sampling)


class LatestState:
    """A model that is not shown the states before the latest."""

    def __init__(self, model: Model, old_state_message: str) -> None:
        self.model = model
        self.name = model.name
        self.old_state_message = old_state_message

    async def respond(
        self, items: Sequence[Item], tools: Sequence[ToolSchema], sampling: Sampling, trace: TokenTrace | None = None
    ) -> Reply:
        return await self.model.respond(collapsed(items, self.old_state_message), tools, sampling, trace)

    async def close(self) -> None:
        await self.model.close()


def collapsed(items: Sequence[Item], message: str) -> Sequence[Item]:
    """The items with `message` as the content of every state but the last. The items themselves are left alone."""
    states = [position for position, item in enumerate(items) if item.get(ENV_STATE)]
    if len(states) < 2:
        return items
    old = set(states[:-1])
    return [{**item, "content": message} if position in old else item for position, item in enumerate(items)]
