"""What a line of a dataset is held to, and what a finding says."""

import json
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning"]
SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Rule:
    """What is demanded, and what to do where it is not so."""

    severity: Severity
    meaning: str
    fix: str


RULES = MappingProxyType(
    {
        "json": Rule("error", "Each line is one JSON object.", "Mend the line; write rows with a JSON library."),
        "encoding": Rule(
            "error",
            "The bytes are UTF-8 without a byte order mark.",
            "Save the file as UTF-8; the finding names the first byte that is not.",
        ),
        "characters": Rule(
            "warning",
            "No text holds U+0000 or half of a surrogate pair.",
            "Remove the character: tokenizers, databases and parquet refuse it.",
        ),
        "line-end": Rule("warning", "Lines end in \\n, the last one too.", "Convert the line ends; end the last line."),
        "blank-line": Rule("warning", "There are no blank lines.", "Remove them: NeMo Gym's reader stops at one."),
        "checksum": Rule(
            "error", "The CRC-32 of a Palestra line holds.", "Run `palestra fsck`, then collect again with --resume."
        ),
        "size": Rule(
            "warning",
            "A line is not longer than --max-row-bytes.",
            "Look for embedded files; if the row is meant to be so large, raise --max-row-bytes.",
        ),
        "required-field": Rule("error", "Every field that is needed is there.", "Add the field to the row."),
        "type": Rule("error", "A field has the type that the task declares.", "Write the value in that type."),
        "params": Rule(
            "error",
            "responses_create_params has the shape of the Responses API and no field that NeMo Gym refuses.",
            "Mend the field; what an endpoint needs beyond the API goes into metadata.extra_body as a JSON text.",
        ),
        "prompt": Rule(
            "error", "The input says something.", "Give the row an input, or leave responses_create_params out."
        ),
        "prompt-absent": Rule(
            "warning",
            "The input is not empty, unless an agent or an environment of its own makes the prompt.",
            "Leave responses_create_params out if the environment makes the prompt from the task's fields.",
        ),
        "prompt-end": Rule(
            "warning",
            "The input does not end with the assistant's own words.",
            "Remove the answer from the input: the model would only have to repeat it.",
        ),
        "no-params": Rule(
            "warning",
            "A task brings its responses_create_params, or an environment that makes them is named.",
            "Name the environment with --env; for NeMo Gym's own commands add responses_create_params.",
        ),
        "tools": Rule(
            "error",
            "Each function tool has a name of its own and an object as its parameters.",
            "Mend the tool: name of letters, digits, _ and -, at most 64; parameters with type object.",
        ),
        "tools-strict": Rule(
            "warning",
            "A tool that says strict has a schema that strict decoding can follow.",
            "Require all properties and forbid others, or set strict to false.",
        ),
        "conversation": Rule(
            "error", "Each tool output follows the call it answers.", "Mend the call_id, or remove the output."
        ),
        "agent-ref": Rule(
            "error", "agent_ref is an object with a name.", 'Write {"type": "responses_api_agents", "name": AGENT}.'
        ),
        "agent-unknown": Rule(
            "warning", "agent_ref names an agent of --env.", "Mend the name, or leave the file to its own environment."
        ),
        "duplicate": Rule(
            "warning", "No task occurs twice.", "Remove one; rows that occur again are played as further repeats."
        ),
        "duplicate-rollout": Rule("error", "No rollout occurs twice.", "Run `palestra fsck`: it sets repeats aside."),
        "response": Rule("error", "response is a Response of the Responses API.", "Mend the field."),
        "reward": Rule("error", "reward is a finite number.", "Judge the rollout again with `palestra verify`."),
        "reward-range": Rule(
            "error",
            "reward is in the range that the environment declares.",
            "Judge it again with `palestra verify`; shaped rewards are checked without --env.",
        ),
        "failure": Rule(
            "error",
            "A rollout that failed has no reward.",
            "Move it to the failures file: its reward would count as the model's.",
        ),
        "record": Rule("error", "The palestra object is as documented.", "Mend the field, or remove the object."),
        "name": Rule(
            "warning",
            "A file is named in lower case letters, digits, _ and -, and ends in .jsonl.",
            "Rename it: shells, hubs and case-blind disks mix up other names.",
        ),
    }
)
"""Every rule, by the name that findings give."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    file: str
    line: int
    """From 1; 0 for the file itself."""
    field: str
    """Names and positions from the row down, with dots; empty for the whole line."""
    value: str
    """What is there, as JSON, cut to a readable length."""
    rule: str
    message: str

    @property
    def severity(self) -> Severity:
        return RULES[self.rule].severity

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "severity": self.severity, "fix": RULES[self.rule].fix}

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        about = f" {self.field}" if self.field else ""
        value = f", got {self.value}" if self.value else ""
        return f"{place}:{about} {self.message}{value} [{self.severity}: {self.rule}]"


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding that does not know its place yet."""

    rule: str
    field: str
    value: Any
    message: str
    has_value: bool = True

    def at(self, file: str, line: int) -> Finding:
        value = shown(self.value) if self.has_value else ""
        return Finding(file, line, self.field, value, self.rule, self.message)


def shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}... ({len(text)} characters)"
