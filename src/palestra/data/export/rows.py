"""Examples as the rows that trainers read."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

from palestra.core.transcript import content_text
from palestra.data.export.choice import Choice
from palestra.data.export.prompts import Prompt
from palestra.data.export.record import Record, Unusable, parsed_arguments
from palestra.wire.chat import Message
from palestra.wire.encoding import encode

Json: TypeAlias = dict[str, Any]
Split: TypeAlias = Literal["train", "validation"]


def spoken_mask(messages: Sequence[Message]) -> list[int]:
    return [int(message["role"] == "assistant") for message in messages]


def objects(messages: Sequence[Message]) -> list[Message]:
    """Messages with arguments as objects, which is what chat templates render."""
    return [parsed_arguments(message) for message in messages]


def origin(record: Record | Prompt) -> Json:
    key = record.key if isinstance(record, Prompt) else record.task_key
    return {"environment": record.environment, "task_id": key.hex()}


def with_tools(row: Json, tools: Sequence[Json]) -> Json:
    return {**row, "tools": list(tools)} if tools else row


def with_tools_text(row: Json, tools: Sequence[Json]) -> Json:
    return {**row, "tools": json_text(list(tools))} if tools else row


def json_text(value: Any) -> str:
    return encode(value).decode()


# Supervised fine-tuning


def sft_generic(record: Record, choice: Choice) -> Iterator[Json]:
    mask = [0] * len(record.prompt) + spoken_mask(record.completion)
    row = {"messages": [*record.prompt, *record.completion], "loss_mask": mask, "reward": record.reward}
    yield with_tools({**row, **origin(record)}, record.tools)


def sft_generic_with_tokens(record: Record, choice: Choice) -> Iterator[Json]:
    """Also the exact tokens. Raises Unusable for a rollout without them."""
    trace = record.trace()
    if trace is None:
        raise Unusable("no_tokens", "the rollout has no token ids")
    for row in sft_generic(record, choice):
        tokens = {"token_ids": trace.ids, "token_loss_mask": list(trace.mask), "token_logprobs": trace.logprobs}
        yield {**row, **tokens}


def sft_turns(record: Record, choice: Choice) -> Iterator[Json]:
    before = objects(record.prompt)
    for message in objects(record.completion):
        if message["role"] == "assistant":
            yield with_tools_text({"prompt": list(before), "completion": [message]}, record.tools)
        before.append(message)


def sft_verl(record: Record, choice: Choice) -> Iterator[Json]:
    # In a parquet file all schemas of all tools would be one structure, each with the fields of all others.
    refuse_tools(record)
    yield {"messages": [*record.prompt, *record.completion]}


def sft_conversation(record: Record, choice: Choice) -> Iterator[Json]:
    yield with_tools({"messages": objects([*record.prompt, *record.completion])}, record.tools)


def sft_without_tools(record: Record, choice: Choice) -> Iterator[Json]:
    refuse_tools(record)
    yield {"messages": objects([*record.prompt, *record.completion])}


def refuse_tools(record: Record) -> None:
    """Raises Unusable for a rollout with tools, where the model would learn to call what it is not shown."""
    if record.tools:
        raise Unusable("tools", "the target's files or loader do not bring tools to the chat template")


# Preferences


def preference_generic(pair: tuple[Record, Record], choice: Choice) -> Iterator[Json]:
    chosen, rejected = pair
    row = {
        "prompt": list(chosen.prompt),
        "chosen": list(chosen.completion),
        "rejected": list(rejected.completion),
        "chosen_loss_mask": spoken_mask(chosen.completion),
        "rejected_loss_mask": spoken_mask(rejected.completion),
        "chosen_reward": chosen.reward,
        "rejected_reward": rejected.reward,
    }
    yield with_tools({**row, **origin(chosen)}, chosen.tools)


def three_parts(pair: tuple[Record, Record]) -> Json:
    chosen, rejected = pair
    return {
        "prompt": objects(chosen.prompt),
        "chosen": objects(chosen.completion),
        "rejected": objects(rejected.completion),
    }


def preference_trl(pair: tuple[Record, Record], choice: Choice) -> Iterator[Json]:
    yield with_tools_text(three_parts(pair), pair[0].tools)


def preference_margin(pair: tuple[Record, Record], choice: Choice) -> Iterator[Json]:
    refuse_tools(pair[0])
    yield {**three_parts(pair), "margin": pair[0].reward - pair[1].reward}


def preference_ranked(pair: tuple[Record, Record], choice: Choice) -> Iterator[Json]:
    refuse_tools(pair[0])
    parts = three_parts(pair)
    completions = [{"rank": 0, "completion": parts["chosen"]}, {"rank": 1, "completion": parts["rejected"]}]
    yield {"context": parts["prompt"], "completions": completions}


def preference_responses(pair: tuple[Record, Record], choice: Choice) -> Iterator[Json]:
    refuse_tools(pair[0])
    chosen, rejected = pair
    prompt = chosen.prompt
    is_one = len(prompt) == 1 and prompt[0]["role"] == "user" and isinstance(prompt[0]["content"], str)
    yield {
        "prompt": prompt[0]["content"] if is_one else objects(prompt),
        "chosen_response": only_text(chosen),
        "rejected_response": only_text(rejected),
    }


def only_text(record: Record) -> str:
    """The answer as one text. Raises Unusable for a conversation of several turns."""
    if len(record.completion) != 1:
        raise Unusable("multi_turn", f"the target takes one answer, this rollout has {len(record.completion)} messages")
    return content_text(record.completion[0]["content"])


# Labels and steps


def labelled_generic(record: Record, choice: Choice) -> Iterator[Json]:
    row = {
        "prompt": list(record.prompt),
        "completion": list(record.completion),
        "completion_loss_mask": spoken_mask(record.completion),
        "label": record.reward >= choice.min_reward,
        "reward": record.reward,
    }
    yield with_tools({**row, **origin(record)}, record.tools)


def labelled_trl(record: Record, choice: Choice) -> Iterator[Json]:
    label = record.reward >= choice.min_reward
    row = {"prompt": objects(record.prompt), "completion": objects(record.completion), "label": label}
    yield with_tools_text(row, record.tools)


def steps_of(record: Record) -> list[list[Message]]:
    """The messages of each step. Raises Unusable if the rewards of the steps are not one a step."""
    steps: list[list[Message]] = []
    for message in record.completion:
        if message["role"] == "assistant":
            steps.append([])
        if steps:
            steps[-1].append(message)
    if not record.step_rewards:
        raise Unusable("no_step_rewards", "its environment gave no rewards for steps")
    if len(record.step_rewards) != len(steps):
        raise Unusable("step_rewards", f"{len(record.step_rewards)} step rewards for {len(steps)} steps")
    return steps


def steps_generic(record: Record, choice: Choice) -> Iterator[Json]:
    steps = steps_of(record)
    rewards = list(record.step_rewards)
    row = {"prompt": list(record.prompt), "completions": steps, "step_rewards": rewards, "reward": record.reward}
    yield with_tools({**row, **origin(record)}, record.tools)


def steps_trl(record: Record, choice: Choice) -> Iterator[Json]:
    refuse_tools(record)
    steps = steps_of(record)
    asked = [content_text(message["content"]) for message in record.prompt if message["role"] == "user"]
    if not asked:
        raise Unusable("no_user_message", "nobody asked anything")
    texts = ["\n".join(content_text(message["content"]) for message in step) for step in steps]
    yield {"prompt": asked[-1], "completions": texts, "labels": [reward > 0 for reward in record.step_rewards]}


# Tasks to play


def prompt_generic(prompt: Prompt, split: Split, index: int) -> Json:
    row: Json = {"prompt": list(prompt.prompt), "task": prompt.task, "rollouts": prompt.rollouts}
    if prompt.rollouts:
        row |= {"mean_reward": prompt.mean_reward, "pass_rate": prompt.pass_rate}
    return with_tools({**row, **origin(prompt)}, prompt.tools)


def prompt_trl(prompt: Prompt, split: Split, index: int) -> Json:
    row = {"prompt": objects(prompt.prompt), "environment": prompt.environment, "task": json_text(prompt.task)}
    return with_tools_text(row, prompt.tools)


def prompt_verl(prompt: Prompt, split: Split, index: int) -> Json:
    tools = json_text(list(prompt.tools))
    return {
        "data_source": prompt.environment,
        "prompt": list(prompt.prompt),
        "ability": prompt.environment,
        "reward_model": {"style": "rule", "ground_truth": json_text(prompt.task)},
        "extra_info": {"index": index, "split": split, "need_tools_kwargs": False, "tools": tools},
    }


def prompt_openrlhf(prompt: Prompt, split: Split, index: int) -> Json:
    label = {"environment": prompt.environment, "task": prompt.task, "tools": list(prompt.tools)}
    return {"input": objects(prompt.prompt), "label": json_text(label), "datasource": prompt.environment}


def prompt_gym(prompt: Prompt, split: Split, index: int) -> Json:
    params = prompt.row["responses_create_params"]
    return {**prompt.task, "responses_create_params": params, "agent_ref": prompt.agent_ref}
