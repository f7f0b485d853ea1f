"""The entries of tasks as JSON. Most have the same text around other numbers, so that is made once for all of them."""

from array import array
from collections.abc import Iterator, Mapping
from itertools import islice, repeat
from typing import Any, NamedTuple

from palestra.monitor.columns import AgentColumns
from palestra.monitor.metrics import group_counts, group_statistics, rollout_info
from palestra.wire.encoding import encode
from palestra.wire.rows import ROLLOUT_INDEX, TASK_INDEX

BLOCK = 1024
"""The numbers of so many rollouts are text at one time."""
SAME_OF_ONE = ("mean", "max", "min", "median")
"""The statistics of a single value that are the value."""


class GroupLine(NamedTuple):
    """The entry of a task."""

    task: int
    content: bytes
    is_plain: bool
    """Whether orjson wrote it, and not the standard library, which writes all of a line of which some needs it."""


def group_lines(agent: AgentColumns, expected: Mapping[int, int]) -> Iterator[GroupLine]:
    """The entry of each task, in the order of their indices: its counts, its statistics and its rollouts' numbers.

    `expected` holds how many rollouts a task should have, for the tasks that lack some.
    """
    is_plain = has_plain_names(agent)
    infos = info_texts(agent) if is_plain else repeat(None)
    heads = lone_heads(agent) if is_plain and agent.is_each_alone else repeat(None)
    for (task, part), lone in zip(agent.groups(), heads, strict=False):
        count = part.stop - part.start
        wanted = expected.get(task, count)
        texts = [text for text in islice(infos, count) if text is not None]
        if lone is not None and wanted == 1 and texts:
            yield GroupLine(task, b'%b,"rollout_infos":[%b]}' % (lone, texts[0]), is_plain=True)
            continue
        head = {**group_counts(task, count, wanted), **group_statistics(agent, part)}
        if len(texts) == count:
            content = b'%b,"rollout_infos":[%b]}' % (encode(head)[:-1], b",".join(texts))
            yield GroupLine(task, content, is_plain=True)
        else:
            rollouts = [rollout_info(agent, position) for position in range(part.start, part.stop)]
            yield GroupLine(task, encode({**head, "rollout_infos": rollouts}), is_plain=False)


def has_plain_names(agent: AgentColumns) -> bool:
    """Whether orjson can write the names of all columns, and none takes the place of what a rollout is called."""
    try:
        "".join(agent.columns).encode()
    except UnicodeEncodeError:
        return False
    return "rollout_id" not in agent.columns


def info_texts(agent: AgentColumns) -> Iterator[bytes | None]:
    """What `rollout_info` says of each rollout; None where orjson cannot write it."""
    numbers = b",".join(map(field, (TASK_INDEX, ROLLOUT_INDEX, *agent.columns)))
    template = b'{"rollout_id":"%%b:%%b",%b}' % numbers
    for block in blocks(agent):
        keys = [number_texts(agent.tasks[block]), number_texts(agent.repeats[block])]
        values = [
            number_texts(column[block], is_whole=name not in agent.fractional) for name, column in agent.columns.items()
        ]
        for position, row in enumerate(zip(*keys, *keys, *values, strict=True), block.start):
            yield template % row if all(row) else unusual_info(agent, position)


def unusual_info(agent: AgentColumns, position: int) -> bytes | None:
    info = rollout_info(agent, position)
    # orjson writes integers of 64 bits.
    is_beyond = any(isinstance(value, int) and not -(1 << 63) <= value < 1 << 64 for value in info.values())
    return None if is_beyond else encode(info)


def lone_heads(agent: AgentColumns) -> Iterator[bytes | None]:
    """Counts and statistics of each task, where all have one rollout; None if that lacks some number."""
    counts = group_counts(0, 1, 1)
    fields = [field(name, b"%b" if name == TASK_INDEX else encode(value)) for name, value in counts.items()]
    for name in agent.columns:
        fields += [field(f"{statistic}/{name}") for statistic in SAME_OF_ONE]
        fields.append(field(f"std/{name}", b"0.0"))
    template = b"{" + b",".join(fields)
    for block in blocks(agent):
        columns = [number_texts(column[block]) for column in agent.columns.values()]
        values = (column for column in columns for _ in SAME_OF_ONE)
        for row in zip(number_texts(agent.tasks[block]), *values, strict=True):
            yield template % row if all(row) else None


def field(name: str, value: bytes = b"%b") -> bytes:
    """A field in a template."""
    return encode(name).replace(b"%", b"%%") + b":" + value


def blocks(agent: AgentColumns) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, len(agent.tasks), BLOCK))


def number_texts(values: "array[Any]", *, is_whole: bool = False) -> list[bytes]:
    """Each number as JSON; empty for a gap, and for a whole number that is too large to be written as others are."""
    joined = encode(values.tolist())[1:-1]
    if is_whole:
        joined = (joined + b",").replace(b".0,", b",")[:-1]
    texts = joined.split(b",")
    if b"null" in joined or (is_whole and b"e" in joined):
        return [b"" if text == b"null" or (is_whole and b"e" in text) else text for text in texts]
    return texts
