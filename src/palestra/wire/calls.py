"""The model calls of a rollout line: what is noted of each, and which output items it produced."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from palestra.core.model import Item, ModelCall, StopReason
from palestra.core.transcript import split_turns

COUNTS = ("input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model wrote in one call."""

    items: tuple[Item, ...]
    stop_reason: StopReason | None
    """None if the rollout's producer did not note it."""


def call_object(call: ModelCall) -> dict[str, Any]:
    """One entry of `palestra.calls`; `items` are places in the output, the end not counted."""
    noted: dict[str, Any] = {
        "items": [call.first_item, call.end_item],
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "stop_reason": call.stop_reason,
    }
    if call.generation_start is not None:
        noted["generation_start"] = call.generation_start
    return noted


def flat(output: Any) -> Any:
    """The output of a response; of transitions, which each hold the whole conversation so far, the last."""
    is_transitions = isinstance(output, list) and output and all(isinstance(entry, list) for entry in output)
    return output[-1] if is_transitions else output


def output_of(rollout: Mapping[str, Any]) -> list[Item]:
    """The output items of a rollout line. ValueError if there are none."""
    response = rollout.get("response")
    output = flat(response.get("output")) if isinstance(response, dict) else None
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise ValueError("the line has no response with output items")
    return output


def calls_of(rollout: Mapping[str, Any]) -> list[ModelCall] | None:
    """The model calls of a rollout line; None if its producer noted none. ValueError if they do not fit the output."""
    own = rollout.get("palestra")
    noted = own.get("calls") if isinstance(own, dict) else None
    if noted is None:
        return None
    calls = [_call(entry) for entry in noted] if isinstance(noted, list) else [_call(noted)]
    places = [place for call in calls for place in (call.first_item, call.end_item)]
    if places != sorted(places) or (places and places[-1] > len(output_of(rollout))):
        raise ValueError("palestra.calls name items that are not in the output")
    return calls


def turns_of(rollout: Mapping[str, Any]) -> list[Turn]:
    """What the model wrote, call by call: as noted, else guessed from who wrote which item. Raises ValueError."""
    output = output_of(rollout)
    calls = calls_of(rollout)
    if calls is None:
        return [Turn(tuple(said), None) for said, _ in split_turns(output) if said]
    return [Turn(tuple(output[call.first_item : call.end_item]), call.stop_reason) for call in calls]


def _call(entry: Any) -> ModelCall:
    fields = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    items, start = fields.get("items"), fields.get("generation_start")
    stop_reason: Any = fields.get("stop_reason")
    numbers: list[Any] = [*(items if isinstance(items, list) else ()), *(fields.get(name) for name in COUNTS)]
    known = len(numbers) == 4 and all(map(_is_count, numbers)) and (start is None or _is_count(start))
    if not known or stop_reason not in get_args(StopReason):
        raise ValueError(f"{str(entry)[:100]!r} is no entry of palestra.calls")
    first, end, read, written = numbers
    return ModelCall(first, end, read, written, stop_reason, start)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
