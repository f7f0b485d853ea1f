"""environment.toml: what can be said of an environment without importing it."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from palestra.core.errors import PalestraError
from palestra.core.tools import validation_text

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"


class Reward(BaseModel):
    """What rewards an environment gives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["binary", "continuous", "partial_credit", "composite"]
    """Two values, any value, shares of a full answer, or a sum of named components."""
    minimum: float = 0.0
    """The lowest reward there is; a verdict outside the range is a failure."""
    maximum: float = 1.0
    """The reward of a full answer; `check` demands that nothing else reaches it."""

    @model_validator(mode="after")
    def ordered(self) -> "Reward":
        if not self.minimum < self.maximum:
            raise ValueError(f"minimum {self.minimum} is not below maximum {self.maximum}")
        return self


class Variant(BaseModel):
    """Another name of the same environment, with some options fixed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    tools: tuple[str, ...] | None = None
    """The tools under this name, where they are others."""


class Deviation(BaseModel):
    """One thing that is judged or answered differently from NeMo Gym's environment of the same name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    behaviour: str = Field(min_length=1)
    """What NeMo Gym does."""
    ours: str = Field(min_length=1)
    """What happens here."""
    reason: str = Field(min_length=1)
    """Why it is better so."""
    option: str | None = None
    """The option that brings NeMo Gym's behaviour back; `check` demands that the class has it."""


class Manifest(BaseModel):
    """The content of environment.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=NAME_PATTERN)
    """What commands and rollouts call it: lower case letters, digits and underscores."""
    summary: str
    """One sentence: what is asked and how it is judged."""
    domain: Literal[
        "math", "coding", "agent", "knowledge", "instruction_following", "long_context", "safety", "games",
        "translation", "e2e", "rlhf", "other",
    ]  # fmt: skip
    """What it is about, in NeMo Gym's terms."""
    reward: Reward
    """The table [reward]: kind, minimum and maximum."""
    version: str = "1"
    """Raise it when the same transcript may get another reward: resume refuses to mix versions."""
    answer_fields: tuple[str, ...] = ()
    """Task fields that must not reach the prompt: changing them leaves the prompt unchanged."""
    answer_key: str | None = None
    """The metric of the verdict that holds the answer as it was read, null if there is none: majorities vote on it."""
    answer: Literal["slot", "whole", "calls", "open"] = "open"
    """What of a conversation is judged, so that `check` knows what hides, hedges or buries a right answer. `slot`: one
    marked place of the text, whatever stands around it. `whole`: the text as it is, nothing may be added. `calls`: tool
    calls and the state they leave. `open`: anything that satisfies the task, also with more text."""
    tools: tuple[str, ...] = ()
    """Names of the tools its episodes offer, in their order; `check` compares them with the class. Tools that a row
    brings in its `responses_create_params` are not among them."""
    agent: str = "tool_loop"
    """The loop that plays it unless a command says otherwise."""
    reverify: Literal["transcript", "replay_calls", "unsupported"] = "transcript"
    """How stored rollouts are judged again: from the conversation alone, after its tool calls were run again on a fresh
    episode, or not at all."""
    licence: str
    """Of tasks and code."""
    sandbox: bool = False
    """Whether episodes run code that nobody trusts, through `self.context.sandbox`: a run refuses to start where the
    strong boundary is missing, unless the weak one is chosen by name."""
    requires: tuple[str, ...] = ()
    """Extras of palestra that it needs: pip install "palestra[EXTRA]"."""
    variants: dict[str, Variant] = Field(default_factory=dict)
    """Other names of it, each with its own summary and fixed options."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Values that differ from the defaults of the class's Options."""
    deviations: tuple[Deviation, ...] = ()
    """Tables [[deviations]]: what is judged differently from NeMo Gym, each with its reason."""

    def as_variant(self, name: str) -> "Manifest":
        """This manifest under one of its other names."""
        variant = self.variants[name]
        return self.model_copy(
            update={
                "name": name,
                "summary": variant.summary or self.summary,
                "options": {**self.options, **variant.options},
                "tools": self.tools if variant.tools is None else variant.tools,
                "variants": {},
            }
        )


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an environment's folder. Raises PalestraError naming file, field and value."""
    path = folder / "environment.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PalestraError("invalid-environment", f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PalestraError("invalid-environment", f"{path} is not TOML: {error}") from error
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise PalestraError("invalid-environment", f"{path}: {validation_text(error)}") from error
