"""The rows of task sets, for trainers that play tasks anew: as in `schemas.py`, one model a target."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from palestra.data.export.schemas import Messages, Origin, Row, Tools


class GenericPrompt(Origin):
    """A task to play."""

    prompt: Messages
    """What is asked."""
    tools: Tools | None = None
    """Function tools as Chat Completions nests them."""
    task: dict[str, Any]
    """What the verifier reads."""
    rollouts: int
    """How many verdicts there were about it."""
    mean_reward: float | None = None
    """Their mean."""
    pass_rate: float | None = None
    """The share of them that reached `--min-reward`."""


class TrlPrompt(Row):
    """A task for GRPOTrainer; all columns reach the reward function as lists."""

    prompt: Messages
    """What is asked."""
    environment: str
    """Who judges."""
    task: str
    """What the verifier reads, as JSON text."""
    tools: str | None = None
    """The tools, as JSON text."""


class RewardModel(Row):
    """How verl's reward function is told what is right."""

    style: Literal["rule"]
    """Always `rule`."""
    ground_truth: str
    """What the verifier reads, as JSON text."""


class ExtraInfo(Row):
    """What verl hands to reward functions and agent loops."""

    index: int
    """The row's number."""
    split: Literal["train", "validation"]
    """The file's name."""
    need_tools_kwargs: bool
    """Always false."""
    tools: str
    """The tools, as JSON text."""


class VerlPrompt(Row):
    """A task for RLHFDataset, as a row of a parquet file."""

    data_source: str
    """The environment."""
    prompt: Messages
    """What is asked."""
    ability: str
    """The environment again: verl groups its metrics by it."""
    reward_model: RewardModel
    """What is right."""
    extra_info: ExtraInfo
    """What else is known."""


class LabelPrompt(Row):
    """A task for PromptDataset; keys `input` and `label` with `apply_chat_template`."""

    input: Messages
    """What is asked."""
    label: str
    """Environment, task fields and tools as JSON text: the only field that reaches the reward function."""
    datasource: str
    """The environment."""


class GymRow(BaseModel):
    """A task row as NeMo Gym and `palestra collect` read it; NemoGymDataset keeps all of it."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="allow")

    responses_create_params: dict[str, Any]
    """What is asked."""
    agent_ref: dict[str, Any]
    """Which agent plays it."""
