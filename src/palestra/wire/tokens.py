"""Token ids as NeMo Gym's clients read them, on the last item of each model call, and back to one trace."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from palestra.core.model import CallTokens, Item, TokenTrace
from palestra.wire.calls import calls_of, output_of, turns_of

TOKEN_FIELDS = ("prompt_token_ids", "generation_token_ids", "generation_log_probs")
"""What the last output item of a model call carries for a trainer, and an assistant message back to its endpoint."""

LOGPROB_DECIMALS = 6
"""Half of the last decimal is 5e-7 nats: far below the 1e-3 that two float32 implementations agree to."""


def tokens_object(trace: TokenTrace) -> dict[str, Any]:
    """`palestra.tokens` of a rollout line: each token once."""
    logprobs = [round(value, LOGPROB_DECIMALS) for value in trace.logprobs]
    return {"ids": trace.ids, "logprobs": logprobs, "mask": list(trace.mask)}


def call_tokens(prompt: Any, ids: Any, logprobs: Any) -> CallTokens:
    """The tokens of one model call, of decoded JSON. ValueError if a list is missing or holds something else."""
    for name, values in zip(TOKEN_FIELDS, (prompt, ids, logprobs), strict=True):
        if not isinstance(values, list):
            raise ValueError(f"{name} is not a list")
    if not prompt:
        raise ValueError("the prompt's tokens are empty")
    if len(ids) != len(logprobs):
        raise ValueError(f"{len(ids)} token ids but {len(logprobs)} log-probabilities")
    return CallTokens(_ids(prompt), _ids(ids), _logprobs(logprobs))


def with_tokens(item: Item, tokens: CallTokens) -> Item:
    """An item, or a chat message, that carries the tokens of its call."""
    lists = (list(tokens.prompt_ids), list(tokens.ids), list(tokens.logprobs))
    return {**item, **dict(zip(TOKEN_FIELDS, lists, strict=True))}


def carried_tokens(item: Item) -> CallTokens | None:
    """The tokens an item or a chat message carries; None if none. ValueError if it carries only some of the lists."""
    if all(item.get(name) is None for name in TOKEN_FIELDS):
        return None
    return call_tokens(*(item.get(name) for name in TOKEN_FIELDS))


def expanded(rollout: Mapping[str, Any]) -> dict[str, Any]:
    """The rollout line with the tokens of each call on the last of its items, instead of once for all in `palestra`.

    Calls whose tokens are not known, or that wrote no item, carry none. ValueError if the line contradicts itself.
    """
    trace = _stored(rollout)
    if trace is None:
        return dict(rollout)
    output = list(output_of(rollout))
    for call in calls_of(rollout) or []:
        start, end = call.generation_start, (call.generation_start or 0) + call.output_tokens
        if start is None or call.end_item == call.first_item:
            continue
        if end > len(trace.ids):
            raise ValueError(f"palestra.calls name token {end} of {len(trace.ids)}")
        tokens = CallTokens(tuple(trace.ids[:start]), tuple(trace.ids[start:end]), tuple(trace.logprobs[start:end]))
        output[call.end_item - 1] = with_tokens(output[call.end_item - 1], tokens)
    # The checksum was of the line as it stood in its file.
    own = {name: value for name, value in rollout["palestra"].items() if name not in ("tokens", "crc32")}
    return {**rollout, "response": {**rollout["response"], "output": output}, "palestra": own}


def trace_of(rollout: Mapping[str, Any]) -> TokenTrace | None:
    """The tokens of a rollout line of any producer: once for all in `palestra`, or on its items; None without any.

    Raises Failure `token-drift` with turn and position if the calls on its items do not continue each other, and
    ValueError if tokens are incomplete.
    """
    stored = _stored(rollout)
    if stored is not None:
        return stored
    trace, turn = TokenTrace(), 0
    for written in turns_of(rollout):
        carriers = [item for item in written.items if any(item.get(name) is not None for name in TOKEN_FIELDS)]
        for item in carriers:
            turn += 1
            trace.extend(_carried(item, turn), turn=turn)
        # A call without tokens counts too: turns are numbered as the conversation's reader would.
        turn += not carriers
    return trace if trace.ids else None


def _carried(item: Item, turn: int) -> CallTokens:
    try:
        return call_tokens(*(item.get(name) for name in TOKEN_FIELDS))
    except ValueError as error:
        raise ValueError(f"turn {turn}: {error}") from None


def _stored(rollout: Mapping[str, Any]) -> TokenTrace | None:
    own = rollout.get("palestra")
    tokens = own.get("tokens") if isinstance(own, dict) else None
    if tokens is None:
        return None
    ids, logprobs, mask = (tokens.get(name) if isinstance(tokens, dict) else None for name in TokenTrace.__slots__)
    lists = [values for values in (ids, logprobs, mask) if isinstance(values, list)]
    if len(lists) < 3 or len({len(values) for values in lists}) > 1:
        raise ValueError("palestra.tokens must hold ids, logprobs and mask, equally long")
    if not set(lists[2]) <= {0, 1}:
        raise ValueError("palestra.tokens.mask must hold 0 and 1 only")
    return TokenTrace(list(_ids(lists[0])), list(_logprobs(lists[1])), bytearray(lists[2]))


def _ids(values: Sequence[Any]) -> tuple[int, ...]:
    # A rollout's ids pass here again with each turn, so what is right is seen without a call for each.
    if set(map(type, values)) <= {int} and min(values, default=0) >= 0:
        return tuple(values)
    return tuple(map(_id, values))


def _logprobs(values: Sequence[Any]) -> tuple[float, ...]:
    if set(map(type, values)) <= {float} and all(map(math.isfinite, values)):
        return tuple(values)
    return tuple(map(_logprob, values))


def _id(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a token id")
    return cast("int", value)


def _logprob(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a log-probability")
    return float(value)
