"""The values of one row's columns, from the bytes of its line."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import orjson
import xxhash

from palestra.data.index.fields import FIELDS, RESERVED
from palestra.data.index.shapes import Item, Own, Params, Part, Response, Row, RowReader, input_of
from palestra.wire.encoding import checksum_holds, decode

TOOL_ERROR = re.compile(r'\s*(?:\{\s*"error"\s*:\s*(?!null|false|""|\[\]|\{\})|error\b|traceback \(most recent)', re.I)
"""How the output of a tool that failed begins. Palestra writes `{"error": ...}`; others write the word."""
MAY_BEGIN_ERROR = frozenset(("", "{", "e", "E", "t", "T"))
"""How the output of a tool that failed may begin, besides blanks: quicker to see than that it does not match."""
LIMITS = frozenset({"max_output_tokens", "max_steps", "max_rollout_tokens", "time_limit", "length"})
"""Reasons to end that cut a rollout short."""
LONGEST_VALUE_BYTES = 256
"""A field with a longer value is read from the row when it is needed, not held in the index."""
SMALLEST_INTEGER, LARGEST_INTEGER = -(1 << 63), (1 << 63) - 1
SHORT_BYTES = 19
"""A shorter text is no integer beyond 64 bits, which need a closer look."""
MOST_REMEMBERED = 4096
"""Prompts and short values that a reader remembers."""
PLACE = ("offset", "length", "line")
"""The columns that say where the row is; the others say what it is."""
NAMES = tuple(name for name in FIELDS if name not in PLACE)


Talk: TypeAlias = "tuple[int, int, int, int, int, int, int, int, int, list[str], str | None]"
"""What items add up to: turns, items, characters of the assistant, of its last answer, of reasoning, of arguments and
of tools' outputs, errors of tools, refusals, names of tools, and the hash of what was written."""
NOTHING_SAID: Talk = (0, 0, 0, 0, 0, 0, 0, 0, 0, [], None)
NO_OWN = Own()


class LineReader:
    """Reads lines; knows the fields, prompts and short values that it has met."""

    def __init__(self) -> None:
        self.reader = RowReader()
        self.prompts: dict[str, int] = {}
        """Characters of inputs by hash: rollouts of a task share theirs."""
        self.values: dict[bytes, Any] = {}
        """Short values by how they are written."""

    def read(self, line: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The values of `NAMES`, and the row's own fields. Raises ValueError if it cannot be read or is damaged."""
        if checksum_holds(line) is False:
            raise ValueError("it does not match its checksum")
        row, fields = self.reader.read(line)
        found: dict[str, Any] = {}
        if row.palestra is not None and row.palestra.task:
            self.add(row.palestra.task, found)
        self.add(fields, found)
        if row.params is None:
            return values_of(row, None, 0), found
        prompt_hash = xxhash.xxh3_64_hexdigest(row.params.input)
        chars = self.prompts.get(prompt_hash)
        if chars is None:
            chars = remember(self.prompts, prompt_hash, input_chars(row.params))
        return values_of(row, prompt_hash, chars), found

    def add(self, fields: Mapping[str, msgspec.Raw], found: dict[str, Any]) -> None:
        """Add the short values of fields."""
        values = self.values
        for name, raw in fields.items():
            text = bytes(raw)
            if len(text) >= SHORT_BYTES:
                value = plain(text)
            elif text in values:
                value = values[text]
            else:
                value = remember(values, text, plain(text))
            if value is not None:
                found[f"row.{name}" if name in RESERVED else name] = value


def remember(known: dict[Any, Any], key: Any, value: Any) -> Any:
    """Note a value for the next time; a reader that knows too many forgets all."""
    if len(known) >= MOST_REMEMBERED:
        known.clear()
    known[key] = value
    return value


def values_of(row: Row, prompt_hash: str | None, asked_chars: int) -> tuple[Any, ...]:
    """The values of `NAMES`."""
    own, params, response = row.palestra or NO_OWN, row.params, row.response
    talk = talk_of(response.output) if response and response.output else NOTHING_SAID
    turns, items, said, answer, thought, argued, returned, errors, refusals, tools, text_hash = talk
    agent = row.agent.name if row.agent else None
    failure = row.failure_class or (own.failure.code if own.failure else None)
    reward = None if failure is not None or row.reward is None else float(row.reward)
    reason = end_reason(own, response)
    return (
        "failure" if failure else "rollout" if response or reward is not None else "task",
        agent,
        own.environment,
        own.task_hash if own.task_hash is not None else task_of(agent, row, prompt_hash),
        row.task_index,
        row.rollout_index,
        own.key,
        reward,
        row.mask_sample is True,
        failure,
        reason,
        reason in LIMITS,
        response.model if response else None,
        turns if own.calls is None else len(own.calls),
        items,
        asked_chars + len(params.instructions) if params and params.instructions else asked_chars,
        *(said, answer, thought, argued, returned),
        len(tools),
        errors,
        tools,
        len(params.tools) if params and params.tools else 0,
        refusals,
        *measured(own, response),
        prompt_hash,
        text_hash,
        own.components,
    )


def measured(own: Own, response: Response | None) -> tuple[Any, ...]:
    """Tokens read and written, seconds, start, seed and fingerprint."""
    seconds = own.timing.total_s if own.timing else None
    usage = own.usage or (response.usage if response else None)
    if usage is None:
        return None, None, seconds, own.started_at, own.seed, own.fingerprint
    return usage.input_tokens, usage.output_tokens, seconds, own.started_at, own.seed, own.fingerprint


def talk_of(items: Sequence[Item]) -> Talk:
    """What the items add up to, in one pass."""
    turns = said = answer = thought = argued = returned = errors = refusals = 0
    tools: list[str] = []
    written: list[str] = []
    was_model = False
    for item in items:
        kind = item.type
        if kind == "function_call":
            name, arguments = item.name or "", item.arguments or ""
            argued += len(arguments)
            tools.append(name)
            written += (name, arguments)
        elif kind == "message" or kind is None:
            if item.role != "assistant":
                was_model = False
                continue
            text = content_text(item.content)
            answer = len(text)
            said += answer
            written.append(text)
            if not text:
                refusals += has_refusal(item)
        elif kind == "function_call_output" or kind.endswith("_output"):
            was_model = False
            output = content_text(item.output)
            returned += len(output)
            first = output[:1]
            if first in MAY_BEGIN_ERROR or first.isspace():
                errors += TOOL_ERROR.match(output) is not None
            continue
        else:
            text = content_text(item.content) or content_text(item.summary)
            thought += len(text)
            written.append(text)
        if not was_model:
            turns += 1
            was_model = True
    text_hash = xxhash.xxh3_64_hexdigest("\0".join(written).encode("utf-8", "surrogatepass"))
    return turns, len(items), said, answer, thought, argued, returned, errors, refusals, tools, text_hash


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


def input_chars(params: Params) -> int:
    asked = input_of(params.input)
    return len(asked) if isinstance(asked, str) else sum(map(item_chars, asked))


def item_chars(item: Item) -> int:
    return len(content_text(item.content)) + len(content_text(item.output)) + len(item.arguments or "")


def end_reason(own: Own, response: Response | None) -> str | None:
    if own.end_reason is not None or response is None:
        return own.end_reason
    cut = response.incomplete_details
    return cut.reason if cut and cut.reason else response.status


def task_of(agent: str | None, row: Row, prompt_hash: str | None) -> str | None:
    """The identity of a task that has no hash."""
    return prompt_hash if row.task_index is None else f"{agent or ''}#{row.task_index}"


def plain(text: bytes) -> Any:
    """A number, truth value or short text; None for everything else."""
    if len(text) > LONGEST_VALUE_BYTES or text[0] in b"{[n":
        return None
    if len(text) < SHORT_BYTES:
        return orjson.loads(text)
    value = decode(text)
    is_beyond = isinstance(value, int) and not SMALLEST_INTEGER <= value <= LARGEST_INTEGER
    return float(value) if is_beyond else value
