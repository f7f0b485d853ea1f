"""The rows of training sets, one model a format and target: documentation, JSON Schemas and tests derive from these."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Row(BaseModel):
    """A model whose fields are described by the text below them."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")


class ToolFunction(Row):
    """What a call asks for."""

    name: str
    """The tool."""
    arguments: str | dict[str, Any]
    """The arguments: JSON text in `generic` and `verl` rows, an object elsewhere, if the text is one."""


class ToolCall(Row):
    """One call of an assistant message."""

    id: str
    """What the tool message refers to."""
    type: Literal["function"]
    """Always `function`."""
    function: ToolFunction
    """Name and arguments."""


class ChatMessage(Row):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    """Who speaks."""
    content: str | list[dict[str, Any]] | None
    """The text, or parts where there are images; null in an assistant message that only calls tools."""
    reasoning_content: str | None = None
    """What the model thought, with `--reasoning field`."""
    tool_calls: list[ToolCall] | None = None
    """Of an assistant message."""
    tool_call_id: str | None = None
    """Of a tool message."""


Messages = Annotated[list[ChatMessage], Field(min_length=1)]
Tools = list[dict[str, Any]]


class Origin(Row):
    """What `generic` rows know of where they come from."""

    environment: str
    """Who judged."""
    task_id: str
    """Equal for examples of one task."""


class GenericSft(Origin):
    """A conversation to imitate."""

    messages: Messages
    """The prompt and all that followed."""
    loss_mask: list[Literal[0, 1]]
    """One entry a message: 1 where the model spoke in this rollout. Assistant messages of the prompt have 0."""
    tools: Tools | None = None
    """Function tools as Chat Completions nests them."""
    reward: float
    """What the rollout earned."""
    token_ids: list[int] | None = None
    """The exact tokens of the rollout, prompt included, with `--tokens`."""
    token_loss_mask: list[Literal[0, 1]] | None = None
    """One entry a token: 1 where the model wrote it."""
    token_logprobs: list[float] | None = None
    """One entry a token, 0 where the model did not write it."""


class PromptCompletion(Row):
    """One turn to imitate. A conversation of several turns is several rows, so that only the model is imitated."""

    prompt: Messages
    """All that was said before."""
    completion: Messages
    """What the model said."""
    tools: str | None = None
    """The tools, as JSON text: a data set of objects would give each the fields of all others."""


class Conversation(Row):
    """A conversation whose assistant messages are imitated."""

    messages: Messages
    """The prompt and all that followed."""
    tools: Tools | None = None
    """Function tools as Chat Completions nests them."""


class MessagesOnly(Row):
    """A conversation whose assistant messages are imitated."""

    messages: Messages
    """The prompt and all that followed."""


class GenericPreference(Origin):
    """Two conversations that start with the same prompt."""

    prompt: Messages
    """What both were asked."""
    chosen: Messages
    """What followed and earned more."""
    rejected: Messages
    """What followed and earned less."""
    chosen_loss_mask: list[Literal[0, 1]]
    """One entry a message of `chosen`: 1 where the model spoke."""
    rejected_loss_mask: list[Literal[0, 1]]
    """The same of `rejected`."""
    tools: Tools | None = None
    """Function tools as Chat Completions nests them."""
    chosen_reward: float
    """What `chosen` earned."""
    rejected_reward: float
    """What `rejected` earned."""


class TrlPreference(Row):
    """A pair for DPOTrainer or RewardTrainer."""

    prompt: Messages
    """What both were asked."""
    chosen: Messages
    """What followed and earned more."""
    rejected: Messages
    """What followed and earned less."""
    tools: str | None = None
    """The tools, as JSON text."""


class MarginPreference(Row):
    """A pair for RewardDataset; keys `prompt`, `chosen`, `rejected` with `apply_chat_template`."""

    prompt: Messages
    """What both were asked."""
    chosen: Messages
    """What followed and earned more."""
    rejected: Messages
    """What followed and earned less."""
    margin: float
    """The difference of the rewards."""


class RankedCompletion(Row):
    """One of two answers."""

    rank: Literal[0, 1]
    """0 is the better one."""
    completion: Messages
    """What followed the prompt."""


class RankedPreference(Row):
    """A pair for PreferenceDataset."""

    context: Messages
    """What both were asked."""
    completions: Annotated[list[RankedCompletion], Field(min_length=2, max_length=2)]
    """The better answer, then the other."""


class ResponsePreference(Row):
    """A pair of answers."""

    prompt: str | Messages
    """What both were asked; text if it is one user message."""
    chosen_response: str
    """The text that earned more."""
    rejected_response: str
    """The text that earned less."""


class GenericLabelled(Origin):
    """One answer and whether it is wanted."""

    prompt: Messages
    """What was asked."""
    completion: Messages
    """What followed."""
    completion_loss_mask: list[Literal[0, 1]]
    """One entry a message of `completion`: 1 where the model spoke."""
    label: bool
    """Whether the answer is wanted."""
    tools: Tools | None = None
    """Function tools as Chat Completions nests them."""
    reward: float
    """What it earned."""


class TrlLabelled(Row):
    """One answer for KTOTrainer."""

    prompt: Messages
    """What was asked."""
    completion: Messages
    """What followed."""
    label: bool
    """Whether the answer is wanted."""
    tools: str | None = None
    """The tools, as JSON text."""


class GenericSteps(Origin):
    """The turns of one rollout, each with its own reward."""

    prompt: Messages
    """What was asked."""
    completions: list[Messages]
    """One entry a step: what the model said, and what came back before it spoke again."""
    step_rewards: list[float]
    """One entry a step."""
    tools: Tools | None = None
    """Function tools as Chat Completions nests them."""
    reward: float
    """What the whole rollout earned."""


class Stepwise(Row):
    """Stepwise supervision: texts with labels."""

    prompt: str
    """The text of the last user message."""
    completions: list[str]
    """The text of each step."""
    labels: list[bool]
    """Whether the step earned something."""
