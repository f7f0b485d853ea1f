"""The columns that every index has: name, type and meaning, in one place; the reference page is made from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

VERSION = 1
"""Of what the columns mean: an index of another version is built anew."""

FieldType = Literal["int", "float", "text", "bool", "texts"]


@dataclass(frozen=True, slots=True)
class Field:
    """One column."""

    type: FieldType
    meaning: str


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "offset": Field("int", "where the row begins in its file, in bytes"),
        "length": Field("int", "bytes of the row, without its line end"),
        "line": Field("int", "number of the line in its file, from 1"),
        "kind": Field("text", "`rollout`, `failure` or `task` (neither a response nor a failure)"),
        "agent": Field("text", "the name in `agent_ref`"),
        "environment": Field("text", "the environment that judged it, where the producer says so"),
        "task": Field("text", "identity of the task: its hash, else agent and `_ng_task_index`, else its input's hash"),
        "task_index": Field("int", "`_ng_task_index`"),
        "rollout_index": Field("int", "`_ng_rollout_index`"),
        "key": Field("text", "identity of the rollout, in lines of Palestra"),
        "reward": Field("float", "the reward; null if there is none, as for failures"),
        "masked": Field("bool", "`mask_sample`: the producer says that no trainer should learn from it"),
        "failure_class": Field("text", "code of the failure; null for rollouts that were judged"),
        "end_reason": Field("text", "why the conversation ended: Palestra's `end_reason`, else the response's status"),
        "truncated": Field("bool", "whether a limit of tokens, steps or time ended it"),
        "model": Field("text", "`response.model`"),
        "turns": Field("int", "calls of the model, as noted, else runs of items that the model wrote"),
        "items": Field("int", "items of the response's output"),
        "prompt_chars": Field("int", "characters of instructions and input"),
        "assistant_chars": Field("int", "characters of the assistant's messages, without reasoning and tool calls"),
        "answer_chars": Field("int", "characters of the last assistant message; 0 if there is none"),
        "reasoning_chars": Field("int", "characters of reasoning items"),
        "argument_chars": Field("int", "characters of tool calls' arguments"),
        "tool_output_chars": Field("int", "characters of tools' outputs"),
        "tool_calls": Field("int", "tool calls that the model made"),
        "tool_errors": Field("int", "outputs of tools that begin like an error: an object with `error`, or the word"),
        "tools": Field("texts", "names of the tools called, in order"),
        "offered_tools": Field("int", "tools that the task offers"),
        "refusals": Field("int", "content parts of type `refusal`"),
        "input_tokens": Field("int", "tokens read, as the backend counted"),
        "output_tokens": Field("int", "tokens written, as the backend counted"),
        "seconds": Field("float", "duration of the rollout, in lines of Palestra"),
        "started_at": Field("float", "Unix time of its start, in lines of Palestra"),
        "seed": Field("int", "seed of the rollout, in lines of Palestra"),
        "fingerprint": Field("text", "hash of environment, model and sampling, in lines of Palestra"),
        "prompt_hash": Field("text", "hash of `responses_create_params.input` as it is written"),
        "text_hash": Field("text", "hash of all that the model wrote; equal for exact duplicates"),
        "components": Field("texts", "names of the fields that are parts of the reward, where the producer says so"),
    }
)

RESERVED = frozenset({*FIELDS, "file"})
"""Names that fields of rows cannot have in the index: such a field is found as `row.NAME`."""
