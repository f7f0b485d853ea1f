"""What a model is to the rest of Palestra: the protocol, its sampling, its reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from palestra.core.errors import Failure

Item: TypeAlias = dict[str, Any]
"""One OpenAI Responses item: a message, a function call, its output, or reasoning."""

ToolSchema: TypeAlias = dict[str, Any]
"""One Responses function tool: `type`, `name`, `description`, `parameters` (JSON Schema), `strict`."""

StopReason: TypeAlias = Literal["stop", "tool_calls", "max_output_tokens", "content_filter"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a reply is drawn. `None` leaves the choice to the model's own default."""

    temperature: float | None = None
    """0 is greedy; at most 2."""
    top_p: float | None = None
    """In (0, 1]."""
    max_output_tokens: int | None = None
    """Tokens of one reply, not of the whole rollout."""
    seed: int | None = None
    """In [0, 2**31); honoured by backends that can."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further Responses parameters by name (`tool_choice`, `reasoning`, ...), for backends that know them."""

    def with_seed(self, seed: int) -> "Sampling":
        return Sampling(self.temperature, self.top_p, self.max_output_tokens, seed, self.extra)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted by the backend, over one call or summed over a rollout."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True)
class CallTokens:
    """Token ids of one model call; `logprobs[i]` is the natural log-probability of `ids[i]` at temperature 1."""

    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]


@dataclass(slots=True)
class TokenTrace:
    """Token ids of a rollout, each once. It grows with every call, so that a long rollout is not copied each turn."""

    ids: list[int] = field(default_factory=list[int])
    logprobs: list[float] = field(default_factory=list[float])
    """0.0 for tokens that the model read."""
    mask: bytearray = field(default_factory=bytearray)
    """1 where the model wrote the token, 0 where it read it."""

    def extend(self, call: CallTokens, *, turn: int) -> None:
        """Take in the tokens of model call number `turn`, counted from 1.

        Raises Failure `token-drift` if its prompt does not start with the tokens so far.
        """
        known = len(self.ids)
        if call.prompt_ids[:known] != tuple(self.ids):
            raise drifted(self.ids, call.prompt_ids, turn)
        read = call.prompt_ids[known:]
        self.ids += read
        self.ids += call.ids
        self.logprobs += [0.0] * len(read)
        self.logprobs += call.logprobs
        self.mask += bytes(len(read)) + b"\x01" * len(call.ids)


def drifted(known: Sequence[int], prompt: Sequence[int], turn: int) -> Failure:
    pairs = zip(known, prompt, strict=False)
    place = next((place for place, (old, new) in enumerate(pairs) if old != new), len(prompt))
    became = f"became {prompt[place]}" if place < len(prompt) else "is missing, the prompt ends before it"
    where = f"turn {turn}: the prompt differs from the tokens so far at position {place}"
    return Failure("model", f"{where}: token {known[place]} {became}", code="token-drift")


@dataclass(slots=True)
class Reply:
    """What one model call produced."""

    items: tuple[Item, ...]
    stop_reason: StopReason
    model: str
    usage: Usage = Usage()
    tokens: CallTokens | None = None


@dataclass(slots=True)
class ModelCall:
    """What a rollout remembers of one model call."""

    first_item: int
    """Place of its first item in the rollout's output."""
    end_item: int
    """The place after its last item."""
    input_tokens: int
    output_tokens: int
    """Counted from the token ids where they are known, else as the backend told."""
    stop_reason: StopReason
    generation_start: int | None = None
    """Place in the rollout's token ids where what this call generated begins; None if its tokens are not known."""


class Model(Protocol):
    """Anything that continues a conversation. Backends live in `palestra.models`."""

    @property
    def name(self) -> str:
        """What rollouts record as the model: a checkpoint, not a URL."""
        ...

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        """Continue `items`.

        `trace` holds the tokens of this rollout so far; a backend that knows its tokens must make its prompt start
        with them, so that what was sampled is what will be trained on. It grows after the call.
        Raises Failure: `model` (retryable or not) or `limit` (the prompt does not fit the context).
        """
        ...

    async def close(self) -> None:
        """Release connections and threads. Called once."""
        ...
