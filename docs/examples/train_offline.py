"""Train a model on exported sets with TRL: python train_offline.py MODEL SFT.jsonl DPO.jsonl OUTPUT [STEPS]."""

import sys

import torch
from datasets import load_dataset
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer


def main(model: str, sft: str, dpo: str, output: str, steps: int = -1) -> None:
    settings = {"max_steps": steps, "report_to": [], "use_cpu": not torch.cuda.is_available()}
    sft_config = SFTConfig(output_dir=f"{output}/sft", completion_only_loss=True, **settings)
    imitation = SFTTrainer(model=model, args=sft_config, train_dataset=rows(sft))
    imitation.train()
    imitation.save_model(f"{output}/sft")
    dpo_config = DPOConfig(output_dir=f"{output}/dpo", beta=0.1, **settings)
    preference = DPOTrainer(model=f"{output}/sft", args=dpo_config, train_dataset=rows(dpo))
    preference.train()
    preference.save_model(f"{output}/dpo")


def rows(path: str):
    return load_dataset("json", data_files=path)["train"]


if __name__ == "__main__":
    main(*sys.argv[1:5], *map(int, sys.argv[5:]))
