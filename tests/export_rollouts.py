"""Rollouts that exports are tested with: written here, in the shapes that producers write."""

from typing import Any

from palestra.core.transcript import assistant_message, user_message
from palestra.wire.encoding import encode

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
COUNT = {
    "type": "function",
    "name": "count",
    "description": "Count.",
    "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
}


def said(text: str) -> dict[str, Any]:
    return assistant_message(text)


def thought(text: str) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}


def called(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    return {"type": "function_call", "name": name, "arguments": arguments, "call_id": call_id}


def answered(output: str, call_id: str = "call_1") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def rollout(
    question: str,
    output: list[dict[str, Any]],
    reward: float | None,
    *,
    task: int = 0,
    tools: tuple[dict[str, Any], ...] = (),
    own: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A line in the common format; `own` is Palestra's object."""
    line: dict[str, Any] = {
        "responses_create_params": {"input": [user_message(question)], "tools": list(tools)},
        "response": {"output": output, "status": "completed"},
        "agent_ref": {"type": "responses_api_agents", "name": "quiz_simple_agent"},
        "_ng_task_index": task,
    }
    if reward is not None:
        line["reward"] = reward
    return {**line, **fields, **({"palestra": own} if own else {})}


def lines_of(rollouts: list[dict[str, Any]]) -> bytes:
    return b"".join(encode(line) + b"\n" for line in rollouts)


def weather_talk(reward: float, city: str = "Genoa") -> dict[str, Any]:
    """Two turns with a tool between."""
    output = [
        thought("I should look."),
        called("get_weather", f'{{"city":"{city}"}}'),
        answered('{"weather":"rain"}'),
        said(f"It rains in {city}."),
    ]
    return rollout("How is the weather in Genoa?", output, reward, task=1, tools=(WEATHER, COUNT))


QUIZ = [
    rollout("What is 2 + 2?", [said("It is 4.")], 1.0),
    rollout("What is 2 + 2?", [said("It is 5.")], 0.0),
    rollout("What is 2 + 2?", [said("Perhaps 4?")], 0.5),
    rollout("What is 2 + 2?", [said("Four.")], 1.0),
    rollout("What is 3 + 3?", [thought("Twice three."), said("It is 6.")], 1.0, task=2),
    rollout("What is 3 + 3?", [said("It is 9.")], 0.0, task=2),
]
"""Plain questions: two tasks with answers of all kinds."""

NOT_LEARNED_FROM = {
    "failure": rollout("What is 2 + 2?", [said("It is 4.")], 0.0, _ng_failure_class="model-timeout"),
    "masked": rollout("What is 2 + 2?", [said("It is 4.")], 1.0, mask_sample=True),
    "unjudged": rollout("What is 2 + 2?", [said("It is 4.")], None),
    "empty": rollout("What is 2 + 2?", [], 1.0),
    "truncated": rollout("What is 2 + 2?", [said("It is")], 1.0, own={"end_reason": "max_output_tokens"}),
}
"""By the kind that a report names."""

STEPS = rollout(
    "Find the number.",
    [called("count", '{"n":1}'), answered("higher"), called("count", '{"n":2}', "call_2"), answered("yes", "call_2")],
    1.0,
    task=3,
    tools=(COUNT,),
    own={"step_rewards": [0.0, 1.0], "end_reason": "done"},
)
