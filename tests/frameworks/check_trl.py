"""TRL's trainers take a step on exported sets; run by `make test-frameworks` in an environment of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, load_dataset
from tiny_model import save_tiny_model
from trl import (
    DPOConfig,
    DPOTrainer,
    GRPOConfig,
    GRPOTrainer,
    KTOConfig,
    KTOTrainer,
    RewardConfig,
    RewardTrainer,
    SFTConfig,
    SFTTrainer,
)

SETS = Path(os.environ["PALESTRA_SETS"])
SETTINGS: dict[str, Any] = {
    "max_steps": 1,
    "per_device_train_batch_size": 2,
    "report_to": [],
    "use_cpu": True,
    "save_strategy": "no",
    "disable_tqdm": True,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_model(tmp_path_factory.mktemp("model"))


def rows(name: str) -> Dataset:
    found = load_dataset("json", data_files=str(SETS / f"trl-{name}" / "train.jsonl"))["train"]
    assert isinstance(found, Dataset)
    return found


def as_written(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SETS / f"trl-{name}" / "train.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", ["sft", "dpo", "kto", "rm", "grpo"])
def test_loading_changes_no_row(name: str) -> None:
    """Arrow merges the schemas of objects; what it adds would be trained on."""
    written = as_written(name)
    loaded = list(rows(name))
    keys = {key for row in written for key in row}
    assert loaded == [{key: row.get(key) for key in keys} for row in written]


def test_sft_learns_the_completion_and_nothing_else(model: str, tmp_path: Path) -> None:
    config = SFTConfig(output_dir=str(tmp_path), completion_only_loss=True, max_length=None, **SETTINGS)
    trainer = SFTTrainer(model=model, args=config, train_dataset=rows("sft"))
    tokenizer: Any = trainer.processing_class
    for row, written in zip(trainer.train_dataset, as_written("sft"), strict=True):
        labels = row.get("labels") or [
            token if learned else -100 for token, learned in zip(row["input_ids"], row["completion_mask"], strict=True)
        ]
        learned = tokenizer.decode([token for token in labels if token != -100])
        message = written["completion"][0]
        assert learned.startswith(message["content"] or "<call>")
        assert learned.endswith("<|end|>\n")
        assert learned.count("<|end|>") == 1
        text = tokenizer.decode(row["input_ids"])
        tools = json.loads(written["tools"]) if written.get("tools") else []
        assert all(tool["function"]["name"] in text for tool in tools)
        assert "null" not in text
    assert trainer.train().global_step == 1


def test_dpo(model: str, tmp_path: Path) -> None:
    trainer = DPOTrainer(model=model, args=DPOConfig(output_dir=str(tmp_path), **SETTINGS), train_dataset=rows("dpo"))
    assert trainer.train().global_step == 1


def test_kto(model: str, tmp_path: Path) -> None:
    trainer = KTOTrainer(model=model, args=KTOConfig(output_dir=str(tmp_path), **SETTINGS), train_dataset=rows("kto"))
    assert trainer.train().global_step == 1


def test_reward_model(model: str, tmp_path: Path) -> None:
    config = RewardConfig(output_dir=str(tmp_path), **SETTINGS)
    trainer = RewardTrainer(model=model, args=config, train_dataset=rows("rm"))
    assert trainer.train().global_step == 1


def test_grpo_hands_the_verifier_its_fields(model: str, tmp_path: Path) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    def reward(completions: list[Any], environment: list[str], task: list[str], **columns: Any) -> list[float]:
        seen.extend((name, json.loads(text)) for name, text in zip(environment, task, strict=True))
        return [float(len(completion[0]["content"]) % 3) for completion in completions]

    config = GRPOConfig(output_dir=str(tmp_path), num_generations=2, max_completion_length=4, **SETTINGS)
    trainer = GRPOTrainer(model=model, reward_funcs=reward, args=config, train_dataset=rows("grpo"))
    assert trainer.train().global_step == 1
    assert {name for name, _ in seen} == {"quiz"}


def test_the_tutorials_script(model: str, tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "docs" / "examples" / "train_offline.py"
    sets = [str(SETS / f"trl-{name}" / "train.jsonl") for name in ("sft", "dpo")]
    command = [sys.executable, str(script), model, *sets, str(tmp_path), "1"]
    subprocess.run(command, check=True, timeout=300)
    assert (tmp_path / "dpo" / "model.safetensors").exists()
