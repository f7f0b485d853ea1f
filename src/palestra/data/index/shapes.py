"""The parts of a row that are read: everything else in a line is skipped without becoming an object."""

import json
from typing import Any

import msgspec
from msgspec import UNSET

from palestra.wire.encoding import decode
from palestra.wire.rows import AGENT_REF, FAILURE_CLASS, PARAMS, ROLLOUT_INDEX, TASK_INDEX

MAX_QUICK_FIELDS = 400
"""Rows with more own fields than these, over all rows of a block, are read slowly."""


class Part(msgspec.Struct, gc=False):
    """One part of a message."""

    type: str | None = None
    text: str | None = None


class Item(msgspec.Struct, gc=False):
    """One item of a conversation."""

    type: str | None = None
    role: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[Part | str] | None = None
    content: str | list[Part | str] | None = None
    summary: list[Part | str] | None = None


class Params(msgspec.Struct, gc=False):
    """`responses_create_params`."""

    input: msgspec.Raw = msgspec.Raw(b"null")
    instructions: str | None = None
    tools: list[msgspec.Raw] | None = None


class Usage(msgspec.Struct, gc=False):
    """Tokens."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class Incomplete(msgspec.Struct, gc=False):
    """Why a response was cut."""

    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """`response`."""

    output: list[Item] | None = None
    status: str | None = None
    model: str | None = None
    usage: Usage | None = None
    incomplete_details: Incomplete | None = None


class Timing(msgspec.Struct, gc=False):
    """Seconds."""

    total_s: float | None = None


class Broken(msgspec.Struct, gc=False):
    """A failure."""

    code: str | None = msgspec.field(default=None, name="class")


class Own(msgspec.Struct, gc=False):
    """The `palestra` object."""

    key: str | None = None
    environment: str | None = None
    task_hash: str | None = None
    task: dict[str, msgspec.Raw] | None = None
    seed: int | None = None
    fingerprint: str | None = None
    started_at: float | None = None
    timing: Timing | None = None
    end_reason: str | None = None
    components: list[str] | None = None
    calls: list[msgspec.Raw] | None = None
    usage: Usage | None = None
    failure: Broken | None = None


class Agent(msgspec.Struct, gc=False):
    """`agent_ref`."""

    name: str | None = None


class Row(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One line. Its own fields are added to a subclass as they are met."""

    params: Params | None = msgspec.field(default=None, name=PARAMS)
    response: Response | None = None
    palestra: Own | None = None
    agent: Agent | None = msgspec.field(default=None, name=AGENT_REF)
    reward: float | bool | None = None
    task_index: int | None = msgspec.field(default=None, name=TASK_INDEX)
    rollout_index: int | None = msgspec.field(default=None, name=ROLLOUT_INDEX)
    failure_class: str | None = msgspec.field(default=None, name=FAILURE_CLASS)
    mask_sample: bool | None = None


SHAPES: tuple[tuple[str, str, type], ...] = (
    ("params", PARAMS, Params),
    ("palestra", "palestra", Own),
    ("agent", AGENT_REF, Agent),
)
KNOWN_FIELDS = frozenset(field.encode_name for field in msgspec.structs.fields(Row))
TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
INPUT = msgspec.json.Decoder(str | list[Item] | None)
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)


class RowReader:
    """Reads rows; knows the fields that rows have had so far, so that a line is gone through once."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        """Where the value of each name is."""
        self.decoder = msgspec.json.Decoder(Row)

    def read(self, line: bytes) -> tuple[Row, dict[str, msgspec.Raw]]:
        """The row and its own fields, not yet read. Raises ValueError if the line is no JSON object."""
        try:
            row: Any = self.decoder.decode(line)
        except UNREADABLE:
            return self.read_slowly(line)
        found: dict[str, msgspec.Raw] = {}
        for attribute, name in self.attributes:
            value = getattr(row, attribute)
            if value is not UNSET:
                found[name] = value
        return row, found

    def read_slowly(self, line: bytes) -> tuple[Row, dict[str, msgspec.Raw]]:
        """Of a row with fields that were not met before, or with something laid out in its own way."""
        top = top_level(line)
        own = {name: raw for name, raw in top.items() if name not in KNOWN_FIELDS}
        # Names that JSON escapes cannot be fields of a struct: rows with one are read slowly.
        if new := [name for name in own if name not in self.names and json.dumps(name) == f'"{name}"']:
            self.learn(new)
        return loose_row(top), own

    def learn(self, names: list[str]) -> None:
        if len(self.names) + len(names) > MAX_QUICK_FIELDS:
            return
        self.names += names
        self.attributes = [(f"own{number}", name) for number, name in enumerate(self.names)]
        fields = [
            (attribute, msgspec.Raw | msgspec.UnsetType, msgspec.field(default=UNSET, name=name))
            for attribute, name in self.attributes
        ]
        self.decoder = msgspec.json.Decoder(
            msgspec.defstruct("RowOfThisFile", fields, bases=(Row,), gc=False, forbid_unknown_fields=True)
        )


def top_level(line: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a line, not yet read. Raises ValueError if it is no JSON object."""
    try:
        return TOP.decode(line)
    except UNREADABLE:
        value = decode(line)
        if not isinstance(value, dict):
            raise ValueError(f"it is {type(value).__name__}, not an object") from None
        return TOP.decode(whole_text(value))


def whole_text(value: Any) -> bytes:
    """JSON that every reader takes: half of a surrogate pair, which is no character, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def loose_row(top: dict[str, msgspec.Raw]) -> Row:
    """A row whose parts are read one by one; a part that is not laid out as one is left out."""
    row = Row()
    for attribute, name, shape in SHAPES:
        if name in top:
            setattr(row, attribute, shaped(top[name], shape) or (Params() if shape is Params else None))
    if "response" in top:
        row.response = shaped(top["response"], Response) or loose_response(decode(bytes(top["response"])))
    for attribute, name, shape in (
        ("task_index", TASK_INDEX, int),
        ("rollout_index", ROLLOUT_INDEX, int),
        ("reward", "reward", float | bool),
        ("failure_class", FAILURE_CLASS, str),
        ("mask_sample", "mask_sample", bool),
    ):
        if name in top:
            setattr(row, attribute, shaped(top[name], shape))
    return row


def shaped(raw: msgspec.Raw, shape: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=shape)
    except UNREADABLE:
        return None


def input_of(raw: msgspec.Raw) -> "str | list[Item]":
    """The input of a row; what is not laid out as one is left out."""
    try:
        return INPUT.decode(raw) or []
    except UNREADABLE:
        value = decode(bytes(raw))
        return value if isinstance(value, str) else loose_items(value)


def loose_response(value: Any) -> Response:
    """What can be read of a response."""
    fields = value if isinstance(value, dict) else {}
    output = fields.get("output")
    if isinstance(output, list) and output and all(isinstance(entry, list) for entry in output):
        # Transitions hold the whole conversation so far, each; the last one holds all of it.
        output = output[-1]
    usage, cut = loose(fields.get("usage"), Usage), loose(fields.get("incomplete_details"), Incomplete)
    return Response(loose_items(output), text(fields.get("status")), text(fields.get("model")), usage, cut)


def loose(value: Any, shape: Any) -> Any:
    try:
        return msgspec.convert(value, shape | None)
    except msgspec.ValidationError:
        return None


def loose_items(value: Any) -> list[Item]:
    """The items of a list, whatever else they hold."""
    items = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    return [
        Item(
            text(item.get("type")),
            text(item.get("role")),
            text(item.get("name")),
            json_text(item.get("arguments")),
            loose_parts(item["output"]) if isinstance(item.get("output"), list) else json_text(item.get("output")),
            loose_parts(item.get("content")),
            loose_parts(item.get("summary")),
        )
        for item in items
    ]


def loose_parts(value: Any) -> "list[Part | str]":
    if isinstance(value, str):
        return [value]
    entries = value if isinstance(value, list) else []
    parts = [entry for entry in entries if isinstance(entry, str | dict)]
    return [part if isinstance(part, str) else Part(text(part.get("type")), text(part.get("text"))) for part in parts]


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def json_text(value: Any) -> str | None:
    """What stands where a text should, as a model would read it."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
