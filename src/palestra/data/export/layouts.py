"""What can be exported for whom."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from pydantic import BaseModel

from palestra.core.errors import PalestraError, suggestion
from palestra.data.export import rows, schemas, task_schemas
from palestra.data.export.choice import ExportFormat

Target: TypeAlias = Literal["generic", "trl", "verl", "openrlhf", "nemo-rl", "nemo-customizer"]

FORMATS: tuple[str, ...] = get_args(ExportFormat)
TARGETS: tuple[str, ...] = get_args(Target)

TRAINS_ON_ALL = "the target learns from every message of a completion, also from those of tools and users"
TRAINS_ON_HISTORY = "the target learns from every assistant message, also from those of the prompt"


@dataclass(frozen=True, slots=True)
class Layout:
    """How one format is written for one target."""

    row: type[BaseModel]
    build: Callable[..., Any]
    """Rows of an example; of `grpo`, the row of a task."""
    kind: Literal["jsonl", "parquet"] = "jsonl"
    read_with: str = ""
    """What loads it."""
    learns_from: Literal["model", "completion", "assistant"] = "model"
    """Whose text the target's loss covers: the model's alone, the whole completion, or every assistant message."""
    split_by_turn: bool = False
    """Whether each turn of a conversation is a row of its own."""


LAYOUTS: Mapping[tuple[ExportFormat, Target], Layout] = MappingProxyType(
    {
        ("sft", "generic"): Layout(schemas.GenericSft, rows.sft_generic, read_with="any JSONL reader"),
        ("sft", "trl"): Layout(
            schemas.PromptCompletion,
            rows.sft_turns,
            read_with="SFTTrainer with completion_only_loss",
            split_by_turn=True,
        ),
        ("sft", "verl"): Layout(
            schemas.MessagesOnly, rows.sft_verl, "parquet", "MultiTurnSFTDataset", learns_from="assistant"
        ),
        ("sft", "openrlhf"): Layout(
            schemas.MessagesOnly,
            rows.sft_without_tools,
            read_with="SFTDataset, `input_key=messages`, `multiturn`, `apply_chat_template`",
            learns_from="assistant",
        ),
        ("sft", "nemo-rl"): Layout(
            schemas.Conversation, rows.sft_conversation, read_with="OpenAIFormatDataset", learns_from="assistant"
        ),
        ("sft", "nemo-customizer"): Layout(
            schemas.Conversation, rows.sft_conversation, read_with="chat data sets", learns_from="assistant"
        ),
        ("dpo", "generic"): Layout(schemas.GenericPreference, rows.preference_generic, read_with="any JSONL reader"),
        ("dpo", "trl"): Layout(
            schemas.TrlPreference, rows.preference_trl, read_with="DPOTrainer", learns_from="completion"
        ),
        ("dpo", "openrlhf"): Layout(
            schemas.MarginPreference,
            rows.preference_margin,
            read_with="RewardDataset, `is_dpo`, `apply_chat_template`",
            learns_from="completion",
        ),
        ("dpo", "nemo-rl"): Layout(
            schemas.RankedPreference, rows.preference_ranked, read_with="PreferenceDataset", learns_from="completion"
        ),
        ("dpo", "nemo-customizer"): Layout(
            schemas.ResponsePreference, rows.preference_responses, read_with="DPO data sets"
        ),
        ("rm", "generic"): Layout(schemas.GenericPreference, rows.preference_generic, read_with="any JSONL reader"),
        ("rm", "trl"): Layout(schemas.TrlPreference, rows.preference_trl, read_with="RewardTrainer"),
        ("rm", "openrlhf"): Layout(
            schemas.MarginPreference, rows.preference_margin, read_with="RewardDataset, `apply_chat_template`"
        ),
        ("rm", "nemo-rl"): Layout(schemas.RankedPreference, rows.preference_ranked, read_with="PreferenceDataset"),
        ("kto", "generic"): Layout(schemas.GenericLabelled, rows.labelled_generic, read_with="any JSONL reader"),
        ("kto", "trl"): Layout(
            schemas.TrlLabelled, rows.labelled_trl, read_with="KTOTrainer", learns_from="completion"
        ),
        ("prm", "generic"): Layout(schemas.GenericSteps, rows.steps_generic, read_with="any JSONL reader"),
        ("prm", "trl"): Layout(schemas.Stepwise, rows.steps_trl, read_with="stepwise supervision"),
        ("grpo", "generic"): Layout(task_schemas.GenericPrompt, rows.prompt_generic, read_with="any JSONL reader"),
        ("grpo", "trl"): Layout(task_schemas.TrlPrompt, rows.prompt_trl, read_with="GRPOTrainer"),
        ("grpo", "verl"): Layout(task_schemas.VerlPrompt, rows.prompt_verl, "parquet", "RLHFDataset"),
        ("grpo", "openrlhf"): Layout(
            task_schemas.LabelPrompt, rows.prompt_openrlhf, read_with="PromptDataset, `input_key`, `label_key`"
        ),
        ("grpo", "nemo-rl"): Layout(task_schemas.GymRow, rows.prompt_gym, read_with="NemoGymDataset"),
    }
)


def layout_of(name: str, target: str) -> Layout:
    """The layout of a format for a target. Raises PalestraError for names that are unknown or do not go together."""
    for value, known, what in ((name, FORMATS, "format"), (target, TARGETS, "target")):
        if value not in known:
            hint = suggestion(value, known)
            raise PalestraError("usage", f"no {what} is named {value!r}.{hint} There are: {', '.join(known)}.")
    able = {reader: layout for (what, reader), layout in LAYOUTS.items() if what == name}
    for reader, layout in able.items():
        if reader == target:
            return layout
    raise PalestraError("usage", f"{target} reads no {name} sets", fix=f"{name} can go to: {', '.join(able)}.")
