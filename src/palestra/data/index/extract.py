"""The values of one row's columns, from the bytes of its line."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import orjson
import xxhash

from palestra.data.index.fields import FIELDS, RESERVED
from palestra.data.index.shapes import Item, Own, Params, Part, Response, Row, RowReader, input_of
from palestra.wire.encoding import checksum_holds, decode

TOOL_ERROR = re.compile(r'\s*(?:\{\s*"error"\s*:\s*(?!null|false|""|\[\]|\{\})|error\b|traceback \(most recent)', re.I)
"""How the output of a tool that failed begins. Palestra writes `{"error": ...}`; others write the word."""
LIMITS = frozenset({"max_output_tokens", "max_steps", "max_rollout_tokens", "time_limit", "length"})
"""Reasons to end that cut a rollout short."""
LONGEST_VALUE_BYTES = 256
"""A field with a longer value is read from the row when it is needed, not held in the index."""
SMALLEST_INTEGER, LARGEST_INTEGER = -(1 << 63), (1 << 63) - 1
PLACE = ("offset", "length", "line")
"""The columns that say where the row is; the others say what it is."""
NAMES = tuple(name for name in FIELDS if name not in PLACE)


class Talk(NamedTuple):
    """What the items of a response add up to."""

    turns: int = 0
    items: int = 0
    assistant_chars: int = 0
    answer_chars: int = 0
    reasoning_chars: int = 0
    argument_chars: int = 0
    tool_output_chars: int = 0
    tool_errors: int = 0
    refusals: int = 0
    tools: "list[str]" = []  # noqa: RUF012 - nobody adds to it
    text_hash: str | None = None


NOTHING_SAID = Talk()


def values_of(line: bytes, reader: RowReader) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The values of `NAMES`, and the row's own fields. Raises ValueError if the line cannot be read or is damaged."""
    if checksum_holds(line) is False:
        raise ValueError("it does not match its checksum")
    row, fields = reader.read(line)
    own, params, response = row.palestra or Own(), row.params, row.response
    talk = talk_of(response.output) if response and response.output else NOTHING_SAID
    agent = row.agent.name if row.agent else None
    failure = row.failure_class or (own.failure.code if own.failure else None)
    reward = None if failure is not None or row.reward is None else float(row.reward)
    prompt_hash = xxhash.xxh3_64_hexdigest(params.input) if params else None
    values = (
        "failure" if failure else "rollout" if response or reward is not None else "task",
        agent,
        own.environment,
        task_of(own, agent, row, prompt_hash),
        within(row.task_index),
        within(row.rollout_index),
        own.key,
        reward,
        row.mask_sample is True,
        failure,
        *ending(own, response),
        response.model if response else None,
        talk.turns if own.calls is None else len(own.calls),
        talk.items,
        prompt_chars(params) if params else 0,
        *talk[2:7],
        len(talk.tools),
        talk.tool_errors,
        talk.tools,
        len(params.tools) if params and params.tools else 0,
        talk.refusals,
        *measured(own, response),
        prompt_hash,
        talk.text_hash,
        own.components,
    )
    return values, own_values(fields, own.task)


def measured(own: Own, response: Response | None) -> tuple[Any, ...]:
    """Tokens read and written, seconds, start, seed and fingerprint."""
    usage = own.usage or (response.usage if response else None)
    tokens = (within(usage.input_tokens), within(usage.output_tokens)) if usage else (None, None)
    return (*tokens, own.timing.total_s if own.timing else None, own.started_at, within(own.seed), own.fingerprint)


def talk_of(items: Iterable[Item]) -> Talk:
    """What the items add up to, in one pass."""
    turns = count = said = answer = thought = argued = returned = errors = refusals = 0
    tools: list[str] = []
    written: list[str] = []
    was_model = False
    for item in items:
        count += 1
        kind = item.type
        if kind == "function_call":
            arguments = item.arguments or ""
            argued += len(arguments)
            tools.append(item.name or "")
            written += (item.name or "", arguments)
            from_model = True
        elif kind == "message" or kind is None:
            from_model = item.role == "assistant"
            if from_model:
                text = content_text(item.content)
                answer = len(text)
                said += answer
                written.append(text)
                if not text:
                    refusals += has_refusal(item)
        elif kind.endswith("_output"):
            from_model = False
            output = content_text(item.output)
            returned += len(output)
            errors += TOOL_ERROR.match(output) is not None
        else:
            from_model = True
            text = content_text(item.content) or content_text(item.summary)
            thought += len(text)
            written.append(text)
        turns += from_model and not was_model
        was_model = from_model
    text_hash = xxhash.xxh3_64_hexdigest("\0".join(written).encode("utf-8", "surrogatepass"))
    return Talk(turns, count, said, answer, thought, argued, returned, errors, refusals, tools, text_hash)


def content_text(content: "str | list[Part | str] | None") -> str:
    """The text of a content, whether it is a string or a list of parts. Refusals are not text."""
    if not content:
        return ""
    if isinstance(content, str):
        return content
    if len(content) == 1 and isinstance(content[0], Part):
        return content[0].text or ""
    return "".join([part if isinstance(part, str) else part.text or "" for part in content])


def has_refusal(item: Item) -> bool:
    parts = item.content if isinstance(item.content, list) else ()
    return any(isinstance(part, Part) and part.type == "refusal" for part in parts)


def prompt_chars(params: Params) -> int:
    asked = input_of(params.input)
    said = len(asked) if isinstance(asked, str) else sum(map(item_chars, asked))
    return said + len(params.instructions or "")


def item_chars(item: Item) -> int:
    return len(content_text(item.content)) + len(content_text(item.output)) + len(item.arguments or "")


def ending(own: Own, response: Response | None) -> tuple[str | None, bool]:
    """Why the conversation ended, and whether a limit did it."""
    reason = end_reason(own, response)
    return reason, reason in LIMITS


def end_reason(own: Own, response: Response | None) -> str | None:
    if own.end_reason is not None or response is None:
        return own.end_reason
    cut = response.incomplete_details
    return cut.reason if cut and cut.reason else response.status


def task_of(own: Own, agent: str | None, row: Row, prompt_hash: str | None) -> str | None:
    if own.task_hash is not None:
        return own.task_hash
    return prompt_hash if row.task_index is None else f"{agent or ''}#{row.task_index}"


def own_values(fields: Mapping[str, msgspec.Raw], task: Mapping[str, msgspec.Raw] | None) -> dict[str, Any]:
    """The short values of the row's own fields, and of its task's; the row's win."""
    found: dict[str, Any] = {}
    for part in (task, fields) if task else (fields,):
        for name, raw in part.items():
            value = plain(bytes(raw))
            if value is not None:
                found[f"row.{name}" if name in RESERVED else name] = value
    return found


def plain(text: bytes) -> Any:
    """A number, truth value or short text; None for everything else."""
    if len(text) > LONGEST_VALUE_BYTES or text[0] in b"{[n":
        return None
    if len(text) < 19:
        # Too short for an integer beyond 64 bits, which needs a closer look.
        return orjson.loads(text)
    value = decode(text)
    is_beyond = isinstance(value, int) and not SMALLEST_INTEGER <= value <= LARGEST_INTEGER
    return float(value) if is_beyond else value


def within(value: int | None) -> int | None:
    """The integer, if 64 bits hold it."""
    return value if value is not None and SMALLEST_INTEGER <= value <= LARGEST_INTEGER else None
