"""What a training set needs of a stored rollout."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, cast

from palestra.core.errors import Failure
from palestra.core.model import TokenTrace
from palestra.wire.calls import output_of
from palestra.wire.chat import Message, Reasoning, messages_from_items
from palestra.wire.chat_tools import tools_for_chat
from palestra.wire.decoded import as_object, as_objects, member
from palestra.wire.encoding import checksum_holds, decode, encode
from palestra.wire.rows import AGENT_REF, AGENT_SUFFIX, FAILURE_CLASS, PARAMS, agent_name, opening_of_params
from palestra.wire.tokens import trace_of

ROW_FIELDS = frozenset({PARAMS, "response", "reward", "palestra", AGENT_REF, FAILURE_CLASS})
TASK_KEY_BYTES = 16


class Unusable(Exception):
    """Why a line is no example: a kind that is counted, and what it says of this line."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Record:
    """One judged rollout, as messages."""

    line: bytes
    rollout: Mapping[str, Any]
    task_key: bytes
    """Equal for rollouts of one task: the same environment, prompt, tools and verifier fields."""
    environment: str
    reward: float
    is_truncated: bool
    """Whether the model was cut off, so that its last message is no whole answer."""
    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]
    """What came after the prompt: the model's messages, and those of tools and users in between."""
    tools: tuple[dict[str, Any], ...]

    def trace(self) -> TokenTrace | None:
        """The exact tokens, if the rollout has them. Raises Unusable (`tokens`) if they contradict themselves."""
        try:
            return trace_of(self.rollout)
        except (ValueError, Failure) as error:
            raise Unusable("tokens", str(error)) from error

    @property
    def step_rewards(self) -> tuple[float, ...]:
        found = member(self.rollout.get("palestra"), "step_rewards")
        return tuple(found) if isinstance(found, list) else ()

    @property
    def verifier_fields(self) -> dict[str, Any]:
        """The task's fields beside its prompt: what the verifier reads."""
        return verifier_fields(self.rollout)

    @property
    def components(self) -> dict[str, float]:
        names = member(self.rollout.get("palestra"), "components") or ()
        return {name: self.rollout[name] for name in names if name in self.rollout}


def read_record(line: bytes, reasoning: Reasoning) -> Record:
    """The rollout of one line of any producer. Raises Unusable if nothing may be learned from it."""
    rollout = judged_rollout(line)
    try:
        opening = opening_of_params(rollout.get(PARAMS))
        prompt = messages_from_items(opening.prompt, reasoning=reasoning)
        completion = messages_from_items(output_of(rollout), reasoning=reasoning)
        tools = tools_for_chat(opening.tools)
    except Failure as failure:
        raise Unusable("unsupported", failure.message) from failure
    except ValueError as error:
        raise Unusable("malformed", str(error)) from error
    if not any(message["role"] == "assistant" for message in completion):
        raise Unusable("empty", "the model said nothing")
    return Record(
        line=line,
        rollout=rollout,
        task_key=task_key(rollout),
        environment=environment_of(rollout),
        reward=float(rollout["reward"]),
        is_truncated=is_truncated(rollout),
        prompt=tuple(prompt),
        completion=tuple(completion),
        tools=tuple(tools),
    )


def judged_rollout(line: bytes) -> dict[str, Any]:
    """A rollout that has a verdict which counts. Raises Unusable for failures, masked samples and damaged lines."""
    if checksum_holds(line) is False:
        raise Unusable("damaged", "it does not match its checksum")
    try:
        rollout = as_object(decode(line), "the line")
    except ValueError as error:
        raise Unusable("malformed", str(error)) from error
    failure = member(rollout.get("palestra"), "failure")
    if rollout.get(FAILURE_CLASS) is not None or failure is not None:
        raise Unusable("failure", str(rollout.get(FAILURE_CLASS) or member(failure, "class")))
    if rollout.get("mask_sample"):
        raise Unusable("masked", "mask_sample is set")
    reward = rollout.get("reward")
    if not isinstance(reward, int | float) or isinstance(reward, bool):
        raise Unusable("unjudged", "it has no reward")
    return rollout


def is_truncated(rollout: Mapping[str, Any]) -> bool:
    response, reason = rollout.get("response"), member(rollout.get("palestra"), "end_reason")
    cut = member(response, "status") == "incomplete" or member(response, "incomplete_details") is not None
    return cut or reason not in (None, "done")


def environment_of(rollout: Mapping[str, Any]) -> str:
    own = member(rollout.get("palestra"), "environment")
    return str(own) if own is not None else (agent_name(rollout) or "").removesuffix(AGENT_SUFFIX)


def verifier_fields(rollout: Mapping[str, Any]) -> dict[str, Any]:
    own = member(rollout.get("palestra"), "task")
    if isinstance(own, dict):
        return cast("dict[str, Any]", own)
    # Another producer's line: what its verifier added cannot be told from what it read.
    return {name: value for name, value in rollout.items() if name not in ROW_FIELDS and not name.startswith("_ng_")}


def task_key(rollout: Mapping[str, Any]) -> bytes:
    params = cast("dict[str, Any]", rollout[PARAMS])
    asked = [params.get("instructions"), params.get("input"), params.get("tools")]
    # Metrics of a foreign line differ between repeats of one task, so only a task that is known apart counts.
    known = member(rollout.get("palestra"), "task_hash")
    text = encode([environment_of(rollout), known, asked])
    return blake2b(text, digest_size=TASK_KEY_BYTES).digest()


def has_assistant(messages: tuple[Message, ...]) -> bool:
    return any(message["role"] == "assistant" for message in messages)


def parsed_arguments(message: Message) -> Message:
    """The message with the arguments of its calls as objects, which chat templates render; text that is no object
    stays text."""
    if not message.get("tool_calls"):
        return message
    calls = [_parsed_call(call) for call in as_objects(message["tool_calls"], "tool_calls")]
    return {**message, "tool_calls": calls}


def _parsed_call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    try:
        arguments = as_object(decode(function["arguments"] or "{}"), "the arguments")
    except ValueError:
        return call
    return {**call, "function": {**function, "arguments": arguments}}
