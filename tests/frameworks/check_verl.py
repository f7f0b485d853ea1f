"""verl's data sets read exported sets; run by `make test-frameworks` in an environment of its own."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from tiny_model import save_tiny_model
from transformers import AutoTokenizer
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

SETS = Path(os.environ["PALESTRA_SETS"])


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return AutoTokenizer.from_pretrained(save_tiny_model(tmp_path_factory.mktemp("model")))


def test_prompts(tokenizer: Any, tmp_path: Path) -> None:
    config = OmegaConf.create({"prompt_key": "prompt", "max_prompt_length": 2048, "cache_dir": str(tmp_path)})
    data = RLHFDataset([str(SETS / "verl-grpo" / "train.parquet")], tokenizer, config)
    assert len(data) == 4
    batch = collate_fn([data[index] for index in range(len(data))])
    assert list(batch["data_source"]) == ["quiz"] * 4
    assert [json.loads(entry["ground_truth"]) for entry in batch["reward_model"]] == [{}] * 4
    assert [entry["index"] for entry in batch["extra_info"]] == [0, 1, 2, 3]
    asked = [data[index]["raw_prompt"][0]["content"] for index in range(4)]
    assert asked[0] == "What is 2 + 2?"


def test_sft_learns_every_turn_of_the_model(tokenizer: Any) -> None:
    config = OmegaConf.create({"max_length": 4096, "pad_mode": "no_padding", "truncation": "error"})
    data = MultiTurnSFTDataset([str(SETS / "verl-sft" / "train.parquet")], tokenizer, config)
    assert len(data) == 4
    for index in range(len(data)):
        row = data[index]
        learned = tokenizer.decode(row["input_ids"][row["loss_mask"].bool()])
        for message in data.messages[index]:
            assert (message["content"] in learned) is (message["role"] == "assistant")
