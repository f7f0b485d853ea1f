"""OpenRLHF's data sets read exported sets; run by `make test-frameworks` in the environment of TRL."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset, load_dataset
from openrlhf.datasets import PromptDataset, RewardDataset, SFTDataset
from tiny_model import save_tiny_model
from transformers import AutoTokenizer

SETS = Path(os.environ["PALESTRA_SETS"])


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return AutoTokenizer.from_pretrained(save_tiny_model(tmp_path_factory.mktemp("model")))


def rows(name: str) -> Dataset:
    found = load_dataset("json", data_files=str(SETS / f"openrlhf-{name}" / "train.jsonl"))["train"]
    assert isinstance(found, Dataset)
    return found


def strategy(**keys: Any) -> Any:
    return SimpleNamespace(args=SimpleNamespace(data=SimpleNamespace(apply_chat_template=True, **keys)),
                           print=print, is_rank_0=lambda: True)  # fmt: skip


def test_sft_learns_every_turn_of_the_model(tokenizer: Any) -> None:
    data = SFTDataset(rows("sft"), tokenizer, 4096, strategy(input_key="messages"), num_processors=1, multiturn=True)
    written = [json.loads(line) for line in (SETS / "openrlhf-sft" / "train.jsonl").read_text().splitlines()]
    assert len(data) == len(written)
    for index, row in enumerate(written):
        ids, _, mask = data[index]
        # A token is learned where its predecessor has a mask.
        learned = [int(token) for token, before in zip(ids[0][1:], mask[0][:-1], strict=True) if before]
        text = tokenizer.decode(learned)
        for message in row["messages"]:
            assert (message["content"] in text) is (message["role"] == "assistant")


@pytest.mark.parametrize(("name", "is_dpo"), [("dpo", True), ("rm", False)])
def test_pairs(tokenizer: Any, name: str, is_dpo: bool) -> None:
    keys = strategy(prompt_key="prompt", chosen_key="chosen", rejected_key="rejected")
    data = RewardDataset(rows(name), tokenizer, 4096, keys, is_dpo=is_dpo, num_processors=1)
    written = [json.loads(line) for line in (SETS / f"openrlhf-{name}" / "train.jsonl").read_text().splitlines()]
    assert len(data) == len(written) > 0
    for index, row in enumerate(written):
        chosen, _, rejected, _, extra = data[index]
        texts = [tokenizer.decode(ids[0]) for ids in (chosen, rejected)]
        for text, side in zip(texts, ("chosen", "rejected"), strict=True):
            assert all(message["content"] in text for message in [*row["prompt"], *row[side]])
        if not is_dpo:
            assert extra == row["margin"]


def test_prompts_bring_the_verifier_its_fields(tokenizer: Any) -> None:
    data = PromptDataset(rows("grpo"), tokenizer, strategy(input_key="input", label_key="label"))
    assert len(data) == 4
    found = repr([data[index] for index in range(len(data))])
    assert "What is 2 + 2?" in found
    assert "get_weather" in found
