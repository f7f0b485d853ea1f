"""Items, tools and the Response object as models: the parts of a rollout line that OpenAI's Responses API defines."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

KNOWN_ITEMS = ("message", "function_call", "function_call_output", "reasoning")


class Described(BaseModel):
    """A model whose fields are described by the text below them."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="allow")


class WithTokens(Described):
    """The token fields that NeMo Gym's trainers read from the last output item of each model call."""

    prompt_token_ids: list[int] | None = None
    """The whole prompt of the call."""
    generation_token_ids: list[int] | None = None
    """The tokens of the reply."""
    generation_log_probs: list[float] | None = None
    """Their log-probabilities."""


class ContentPart(Described):
    """One part of a message."""

    type: str = Field(examples=["output_text"])
    """`input_text` in what the model reads, `output_text` or `refusal` in what it wrote, or another kind."""
    text: str | None = None
    """The text of an `input_text` or `output_text`."""
    annotations: list[Any] | None = None
    """Of an `output_text`; `[]` if there are none."""


class Message(WithTokens):
    """Something said by the user, the system or the model."""

    type: Literal["message"] = "message"
    """May be absent in the input."""
    role: Literal["user", "assistant", "system", "developer"]
    """Who speaks."""
    content: str | list[ContentPart | str]
    """The text, or its parts."""
    id: str | None = None
    """Of an output item."""
    status: str | None = Field(default=None, examples=["completed"])
    """Of an output item."""


class FunctionCall(WithTokens):
    """The model calls a tool."""

    type: Literal["function_call"]
    """Always `function_call`."""
    name: str = Field(examples=["get_weather"])
    """The tool."""
    arguments: str = Field(examples=['{"city": "Genoa"}'])
    """The arguments, as the JSON text the model wrote; it may be invalid."""
    call_id: str = Field(examples=["call_0_0"])
    """What the output refers to."""
    id: str | None = None
    """Of the item."""
    status: str | None = Field(default=None, examples=["completed"])
    """Of the item."""


class FunctionCallOutput(Described):
    """What a tool answered. It stands behind the call with the same `call_id`."""

    type: Literal["function_call_output"]
    """Always `function_call_output`."""
    call_id: str = Field(examples=["call_0_0"])
    """Of the call it answers."""
    output: str | list[Any]
    """The result as text, or as parts; a tool's error is text too."""
    id: str | None = None
    """Of the item."""
    status: str | None = None
    """Of the item."""


class Reasoning(WithTokens):
    """What a model thought before it spoke."""

    type: Literal["reasoning"]
    """Always `reasoning`."""
    summary: list[ContentPart] = []
    """The reasoning as `summary_text` parts."""
    content: list[ContentPart] | None = None
    """The reasoning as `reasoning_text` parts, from endpoints that give it."""
    encrypted_content: str | None = None
    """Reasoning that only the endpoint can read."""
    id: str | None = None
    """Of the item."""


class OtherItem(Described):
    """Any other item of the Responses API; it is kept as it is."""

    type: str = Field(json_schema_extra={"not": {"enum": list(KNOWN_ITEMS)}}, examples=["web_search_call"])
    """Its kind."""


def kind_of_item(value: Any) -> str:
    kind = value.get("type", "message") if isinstance(value, dict) else getattr(value, "type", "message")
    return kind if kind in KNOWN_ITEMS else "other"


AnyItem = Annotated[
    Annotated[Message, Tag("message")]
    | Annotated[FunctionCall, Tag("function_call")]
    | Annotated[FunctionCallOutput, Tag("function_call_output")]
    | Annotated[Reasoning, Tag("reasoning")]
    | Annotated[OtherItem, Tag("other")],
    Discriminator(kind_of_item),
]
"""One item of a conversation; without a type it is a message."""


class AnyTool(Described):
    """A tool the model may call."""

    type: str = Field(examples=["function"])
    """`function` for the tools of an environment."""
    name: str | None = Field(default=None, examples=["get_weather"])
    """What the model calls it by."""
    description: str | None = None
    """What the model is told of it."""
    parameters: dict[str, Any] | None = None
    """A JSON Schema of its arguments."""
    strict: bool | None = None
    """Whether an endpoint must hold the arguments to the schema."""


def kind_of_output(value: Any) -> str:
    return "transitions" if isinstance(value, list) and value and isinstance(value[0], list) else "items"


Output = Annotated[
    Annotated[list[AnyItem], Tag("items")] | Annotated[list[list[AnyItem]], Field(min_length=1), Tag("transitions")],
    Discriminator(kind_of_output),
]


class IncompleteDetails(Described):
    """Why a response was cut."""

    reason: str = Field(examples=["max_output_tokens"])
    """`max_output_tokens` or `content_filter`."""


class Response(Described):
    """The Response object of the OpenAI Responses API, with the output of the whole rollout."""

    id: str = Field(examples=["resp_7e2d46c2776317c033ab76767e1e5c31"])
    """Derives from the rollout's key."""
    created_at: float
    """Unix time, in seconds."""
    object: Literal["response"] = "response"
    """Always `response`."""
    model: str = Field(examples=["SmolLM2-135M-Instruct"])
    """What answered: a checkpoint, not an address."""
    output: Output
    """Everything that came after the input, in order: replies, calls, tool outputs, further user messages. Agents of
    NeMo Gym that return transitions (aviary's) write one list of items for each step instead."""
    status: str | None = Field(default=None, examples=["completed"])
    """`completed`, or `incomplete` if the last reply was cut."""
    incomplete_details: IncompleteDetails | None = None
    """Why it was cut."""
    error: Any = None
    """Always null: what broke is a failure and no rollout."""
    parallel_tool_calls: bool = True
    """As asked."""
    tool_choice: str | dict[str, Any] = "auto"
    """As asked."""
    tools: list[AnyTool] = []
    """As asked."""
    usage: dict[str, Any] | None = None
    """Tokens as the endpoint counted them; its numbers become columns of the metrics."""
