"""One live episode as an agent sees it, and the host that opens it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from palestra.core.model import Item, ToolSchema
from palestra.core.transcript import Transcript
from palestra.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Step:
    """What an environment answers to the items a model just produced."""

    items: tuple[Item, ...] = ()
    """Tool outputs, or messages that the environment speaks as the user; appended to the conversation."""
    done: bool = False
    """The episode is over."""
    reward: float | None = None
    """The reward of this step, for environments that judge as they go; `None` where only `verify` judges."""


class Session(Protocol):
    """One episode, used once: prompt and tools, then steps, then one verdict."""

    @property
    def prompt(self) -> tuple[Item, ...]: ...

    @property
    def tools(self) -> tuple[ToolSchema, ...]: ...

    async def step(self, items: Sequence[Item]) -> Step:
        """Act on the items of one reply. Raises Failure (`environment`, `tool`, `host`)."""
        ...

    async def verify(self, transcript: Transcript) -> Verdict:
        """Judge the whole conversation. Raises Failure (`verifier`, `judge`, `host`)."""
        ...

    async def close(self) -> None:
        """Give back what the episode holds; always called, also after a failure."""
        ...


class Host(Protocol):
    """A place where environments run: this process, a server, a cluster."""

    async def open(self, row: Mapping[str, Any], *, seed: int) -> Session:
        """Start an episode of a row. Raises Failure (`environment`, `host`)."""
        ...

    async def close(self) -> None: ...
