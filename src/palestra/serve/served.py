"""A model as it is served: its names, what it knows of its tokens, and what can be asked of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from palestra.core.model import CallTokens, Item, Model, Sampling, TokenTrace, ToolSchema
from palestra.serve.refusals import Refusal

WRITTEN_ID = "token_id:"

ONLY_WHOLE_REPLIES = MappingProxyType(
    {
        "stream": (False,),
        "n": (1,),
        "top_logprobs": (0,),
        "background": (False,),
        "previous_response_id": (),
        "conversation": (),
        "prompt": (),
        "echo": (False,),
    }
)
"""Parameters of which this server has only these values (or none), whatever model it serves."""

ONLY_PLAIN_SAMPLING = MappingProxyType(
    {
        "stop": ([], ""),
        "logit_bias": ({},),
        "frequency_penalty": (0,),
        "presence_penalty": (0,),
        "repetition_penalty": (1,),
        "top_k": (-1, 0),
        "min_p": (0,),
        "min_tokens": (0,),
        "best_of": (1,),
        "response_format": ({"type": "text"},),
        "text": ({}, {"format": {"type": "text"}}),
        "structured_outputs": (),
        "guided_json": (),
        "guided_regex": (),
        "guided_choice": (),
        "guided_grammar": (),
    }
)
"""Parameters that change a reply, which the models of this process would have to ignore otherwise."""


@runtime_checkable
class TokenSource(Protocol):
    """A model of this process that tells its tokens without being asked for a reply."""

    @property
    def context_tokens(self) -> int: ...

    @property
    def vocabulary_size(self) -> int: ...

    def prompt_ids(self, items: Sequence[Item], trace: TokenTrace | None = None) -> list[int]: ...

    def encode(self, text: str) -> list[int]: ...

    def token_text(self, index: int) -> str: ...


@dataclass(frozen=True, slots=True)
class Served:
    """The one model of a server."""

    model: Model
    names: tuple[str, ...]
    """What requests may call it; the first is what replies call it."""
    tells_tokens: bool = False
    """Whether its replies come with token ids and log-probabilities."""
    passes_parameters: bool = False
    """Whether it hands further parameters on to an endpoint, which then judges them."""

    @property
    def tokens(self) -> TokenSource | None:
        return self.model if isinstance(self.model, TokenSource) else None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, whichever API it came by."""

    items: Sequence[Item]
    tools: Sequence[ToolSchema]
    sampling: Sampling
    carried: CallTokens | None = None
    """Tokens of the last thing the model said, as the client remembers them."""
    logprobs: bool = False
    token_ids: bool = False
    tokens_as_ids: bool = False

    @property
    def trace(self) -> TokenTrace | None:
        if self.carried is None:
            return None
        trace = TokenTrace()
        trace.extend(self.carried, turn=1)
        return trace


def refuse_unhonoured(served: Served, body: Mapping[str, Any]) -> None:
    """Raises Refusal for a parameter that would silently make no difference."""
    known = dict(ONLY_WHOLE_REPLIES) if served.passes_parameters else {**ONLY_WHOLE_REPLIES, **ONLY_PLAIN_SAMPLING}
    for name, values in known.items():
        if body.get(name) is not None and body[name] not in values:
            only = f"only {name} = {values[0]!r}" if values else f"no {name}"
            raise Refusal(400, f"{served.names[0]} is served with {only}, got {str(body[name])[:100]}", param=name)


def refuse_unknown(served: Served, asked: Asked) -> None:
    """Raises Refusal for tokens that the model cannot tell, or has not got."""
    if not served.tells_tokens and (asked.logprobs or asked.token_ids):
        raise Refusal(400, f"{served.names[0]} does not know tokens and log-probabilities", param="logprobs")
    if served.tokens is None:
        if asked.logprobs and not asked.tokens_as_ids:
            raise Refusal(400, "log-probabilities need return_tokens_as_token_ids here", param="logprobs")
        return
    size = served.tokens.vocabulary_size
    if asked.carried and max((*asked.carried.prompt_ids, *asked.carried.ids)) >= size:
        raise Refusal(400, f"{served.names[0]} has {size} tokens, and a message carries a higher id")


def token_entries(served: Served, asked: Asked, tokens: CallTokens) -> list[dict[str, Any]]:
    """`logprobs.content` of a reply. Bytes are null: a token may be a part of a character."""
    source = served.tokens
    names = [
        f"{WRITTEN_ID}{index}" if asked.tokens_as_ids or source is None else source.token_text(index)
        for index in tokens.ids
    ]
    return [
        {"token": name, "logprob": value, "bytes": None, "top_logprobs": []}
        for name, value in zip(names, tokens.logprobs, strict=True)
    ]
