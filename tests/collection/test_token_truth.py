"""Token ids through a whole collect: what the server sampled is what the file holds, or the rollout is a failure."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from palestra.collection.collect import collect
from palestra.collection.config import CollectConfig, ModelChoice, SamplingChoice
from palestra.core.model import TokenTrace
from palestra.wire.tokens import expanded, trace_of
from tests.collection.workspace import Workspace, lines_of
from tests.simulated_endpoint import SimulatedEndpoint
from tests.simulated_vllm import SimulatedVLLM

NUMBER = {"low": 1, "high": 8, "secret": 6, "max_guesses": 3}
GUESSES = ["<think>Half of it.</think>Maybe\n4", "<think>More.</think>5", "<think>Now it is clear.</think>6"]
WEATHER = ['<tool_call>{"name": "get_weather", "arguments": {"city": "Rome"}}</tool_call>', "It is cold in Rome."]
WEATHER_IN_A_HURRY = [WEATHER[0].replace(": ", ":"), WEATHER[1]]
VERSIONS = ("nemo_rl", "new", "old")


@dataclass
class Collected:
    """What one collect from a simulated server left."""

    rollouts: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    endpoint: SimulatedEndpoint

    def failure(self) -> dict[str, Any]:
        [line] = self.failures
        assert not self.rollouts
        assert "reward" not in line
        return line["palestra"]["failure"]

    def asked(self) -> int:
        return len(self.endpoint.bodies("/v1/chat/completions"))


Play = Callable[..., Collected]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    place = Workspace(tmp_path)

    async def run(server: SimulatedVLLM, environment: str, rows: list[Any] | None, **changes: Any) -> Collected:
        async with SimulatedEndpoint(server.handlers()) as endpoint:
            values = {
                "environments": (environment,),
                "input": place.rows(rows) if rows else None,
                "limit": None if rows else 1,
                "output": place.paths.rollouts,
                "model": ModelChoice(spec="vllm:simulated", base_url=endpoint.base_url),
                "max_failure_rate": 1.0,
                **changes,
            }
            await collect(CollectConfig.model_validate(values))
            paths = place.paths
            return Collected(lines_of(paths.rollouts), lines_of(paths.failures), endpoint)

    def played(
        server: SimulatedVLLM, environment: str = "guess_number", rows: list[Any] | None = None, **changes: Any
    ) -> Collected:
        rows = [NUMBER] if rows is None and environment == "guess_number" else rows
        return asyncio.run(run(server, environment, rows, **changes))

    return played


def truth(server: SimulatedVLLM) -> TokenTrace:
    """The tokens of the only rollout, as the server saw them."""
    trace = TokenTrace()
    for turn, call in enumerate(server.calls, 1):
        trace.extend(call, turn=turn)
    return trace


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("environment", "replies"), [("guess_number", GUESSES), ("example_single_tool_call", WEATHER)])
def test_the_tokens_of_all_turns_are_those_the_server_sampled(
    play: Play, version: Any, environment: str, replies: list[str]
) -> None:
    server = SimulatedVLLM(replies, version=version)
    [line] = play(server, environment).rollouts
    assert line["reward"] == 1.0
    assert trace_of(line) == truth(server)
    wide = [item for item in expanded(line)["response"]["output"] if "prompt_token_ids" in item]
    assert [item["generation_token_ids"] for item in wide] == [list(call.ids) for call in server.calls]
    assert [item["prompt_token_ids"] for item in wide] == [list(call.prompt_ids) for call in server.calls]
    counted = [(call["input_tokens"], call["output_tokens"]) for call in line["palestra"]["calls"]]
    assert counted == [(len(call.prompt_ids), len(call.ids)) for call in server.calls]


def test_a_reply_cut_at_the_limit_keeps_its_tokens(play: Play) -> None:
    server = SimulatedVLLM(GUESSES)
    [line] = play(server, sampling={"*": SamplingChoice(max_output_tokens=5)}).rollouts
    assert (line["palestra"]["end_reason"], len(server.calls[0].ids)) == ("max_output_tokens", 5)
    assert trace_of(line) == truth(server)


@pytest.mark.parametrize(
    ("server", "environment"),
    [
        (SimulatedVLLM(GUESSES, spells=True), "guess_number"),
        (SimulatedVLLM(GUESSES, spells=True, version="old"), "guess_number"),
        (SimulatedVLLM(GUESSES, strips_reasoning=True), "guess_number"),
        (SimulatedVLLM(WEATHER_IN_A_HURRY), "example_single_tool_call"),
    ],
    ids=["re-tokenised", "re-tokenised, old", "reasoning stripped", "call written anew"],
)
def test_drift_is_a_failure_with_turn_position_and_both_tokens(
    play: Play, server: SimulatedVLLM, environment: str
) -> None:
    collected = play(server, environment)
    failure = collected.failure()
    first, second = server.calls
    known = [*first.prompt_ids, *first.ids]
    place = next(place for place, (old, new) in enumerate(zip(known, second.prompt_ids, strict=False)) if old != new)
    assert place >= len(first.prompt_ids), "the servers differ in how they treat what was generated"
    assert (failure["boundary"], failure["class"]) == ("model", "token-drift")
    told = f"turn 2: the prompt differs from the tokens so far at position {place}: "
    assert failure["message"] == f"{told}token {known[place]} became {second.prompt_ids[place]}"
    assert collected.asked() == 2, "the same server would drift again"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("trouble", ["spells", "strips_reasoning"])
def test_a_server_that_keeps_the_required_prefix_does_not_drift(play: Play, version: Any, trouble: str) -> None:
    strips = trouble == "strips_reasoning"
    server = SimulatedVLLM(GUESSES, version, keeps_prefix=True, spells=not strips, strips_reasoning=strips)
    [line] = play(server).rollouts
    assert line["reward"] == 1.0
    assert len(server.calls) == 3
    assert trace_of(line) == truth(server)
    assert server.tokenizer.decode(truth(server).ids).count("<think>") == 3


def test_a_context_that_overflows_is_a_limit_and_no_reward(play: Play) -> None:
    collected = play(SimulatedVLLM(GUESSES, context_tokens=160))
    failure = collected.failure()
    assert (failure["boundary"], failure["class"]) == ("limit", "context-overflow")
    assert "maximum context length is 160 tokens" in failure["message"]
    assert 1 < collected.asked() <= 3, "the first prompt fits, and what overflows is not asked again"


def without(*path: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(completion: dict[str, Any]) -> None:
        inner: Any = completion
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]

    return spoil


MESSAGE = ("choices", 0, "message")


@pytest.mark.parametrize(
    ("version", "spoil"),
    [
        ("nemo_rl", without(*MESSAGE, "generation_log_probs")),
        ("nemo_rl", without(*MESSAGE, "prompt_token_ids")),
        ("nemo_rl", without(*MESSAGE, "generation_token_ids", -1)),
        ("new", without("choices", 0, "logprobs")),
        ("new", without("choices", 0, "token_ids", -1)),
        ("new", without("choices", 0, "logprobs", "content", 0, "logprob")),
        ("old", without("choices", 0, "logprobs", "content", 0, "token")),
        ("old", without("choices", 0, "logprobs")),
    ],
)
def test_incomplete_tokens_are_a_loud_failure_that_is_not_tried_again(play: Play, version: Any, spoil: Any) -> None:
    collected = play(SimulatedVLLM(GUESSES, version=version, spoil=spoil))
    failure = collected.failure()
    assert (failure["boundary"], failure["class"]) == ("model", "model-bad-reply")
    assert collected.asked() == 1


def test_a_server_that_demands_the_sampling_of_its_training_gets_it(play: Play) -> None:
    server = SimulatedVLLM(GUESSES, version="nemo_rl", keeps_prefix=True, trained_with=(1.0, 1.0))
    sampling = {"*": SamplingChoice(temperature=1.0, top_p=1.0)}
    collected = play(server, sampling=sampling)
    assert [line["reward"] for line in collected.rollouts] == [1.0]
    assert all("top_k" not in body for body in collected.endpoint.bodies("/v1/chat/completions"))


def test_a_row_can_send_sampling_that_only_vllm_knows(play: Play) -> None:
    params = {"input": "Guess.", "temperature": 0, "metadata": {"extra_body": '{"top_k": -1, "min_p": 0.1}'}}
    collected = play(SimulatedVLLM(GUESSES), rows=[{**NUMBER, "responses_create_params": params}])
    body = collected.endpoint.bodies("/v1/chat/completions")[0]
    assert (body["temperature"], body["top_k"], body["min_p"]) == (0, -1, 0.1)
    assert "metadata" not in body
