"""Recorded trajectories become datasets: tau-bench's and GSM8K's own, by the commands that a reader would run.

Counts, no timings: for both sets the rollouts that were imported, what of them is kept, and what the training sets
hold. Reads `../shared/data/real`, which is not part of the repository.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import measurements

REAL = Path(__file__).parents[2] / "shared" / "data" / "real"

GOOD = """
[[stage]]
kind = "filter"
name = "right"
reward = {min = 1}

[[stage]]
kind = "detect"
cut_off = false

[[stage]]
kind = "unique"
"""
CURRICULUM = """
[[stage]]
kind = "bands"
min_rollouts = 4

[[stage]]
kind = "curriculum"
rounds = 3
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A public set of recorded rollouts, and how its rows are read."""

    path: str
    mapping: str
    benchmark: str | None = None
    """The benchmark whose questions must not be trained on."""


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "tau": Source(
            "taubench/gpt-4o-airline.json",
            """
            shape = "chat"
            agent = "tau_airline_simple_agent"
            columns = { messages = "traj" }
            drop = ["info"]

            [rollout]
            reward = "reward"
            task = "task_id"
            model = "gpt-4o"
            """,
        ),
        "gsm8k": Source(
            "gsm8k/example_model_solutions.jsonl",
            """
            agent = "gsm8k_simple_agent"
            prompt = "{question}"

            [fields]
            expected_answer = { column = "ground_truth", pattern = 'A: ([^\\n]+)\\s*$', type = "number" }

            [rollout]
            reward = "is_correct"
            response = "solution"
            each = ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]
            """,
            benchmark="gsm8k/test.jsonl",
        ),
    }
)


class Walk:
    """One set, from the file to the training sets, in a folder of its own."""

    def __init__(self, source: Source, folder: Path, real: Path) -> None:
        self.source = source
        self.folder = folder
        self.real = real
        self.rollouts = folder / "rollouts.jsonl"

    def run(self, *words: str | Path, codes: tuple[int, ...] = (0,)) -> Any:
        """What a command prints as JSON. Raises RuntimeError if it fails."""
        start = "from palestra.cli.main import run; run()"
        command = [sys.executable, "-c", start, *map(str, words), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        if done.returncode not in codes:
            raise RuntimeError(f"palestra {' '.join(map(str, words))} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def written(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text("\n".join(line.strip() for line in text.splitlines()))
        return path

    def counts(self) -> dict[str, Any]:
        found = self.imported()
        found |= self.profiled()
        found |= self.curated()
        found |= self.exported()
        if self.source.benchmark is not None:
            against = self.real / self.source.benchmark
            told = self.run("data", "decontaminate", "--against", against, "--input", self.rollouts, codes=(0, 1))
            found["contaminated"] = told["contaminated"]
        return found

    def imported(self) -> dict[str, Any]:
        mapping = self.written("mapping.toml", self.source.mapping)
        table = self.real / self.source.path
        told = self.run("data", "convert", table, "--mapping", mapping, "--output", self.rollouts, codes=(0, 1))
        return {"rollouts": told["rows"], "not_mapped": told["not_mapped"]}

    def profiled(self) -> dict[str, Any]:
        profile = self.folder / "profile.jsonl"
        told = self.run("stats", self.rollouts, "--profile", profile)
        metrics = told[0]["agent_metrics"]
        tasks = [json.loads(line) for line in profile.read_text().splitlines()]
        solved = [sum(info["reward"] for info in task["rollout_infos"]) / len(task["rollout_infos"]) for task in tasks]
        percent = {name: round(metrics[f"{name}/accuracy"], 2) for name in ("pass@1", "pass@4", "pass^4")}
        return {
            "tasks": len(tasks),
            "mean_reward": round(metrics["mean/reward"], 4),
            "pass_at_1": percent["pass@1"],
            "pass_at_4": percent["pass@4"],
            "pass_hat_4": percent["pass^4"],
            "tasks_never_solved": sum(share == 0 for share in solved),
            "tasks_always_solved": sum(share == 1 for share in solved),
        }

    def curated(self) -> dict[str, Any]:
        good = self.folder / "good.jsonl"
        told = self.run("curate", self.written("good.toml", GOOD), "--input", self.rollouts, "--output", good)
        kept = {stage["stage"]: stage["rows_after"] for stage in told["stages"]}
        ordered = self.folder / "curriculum.jsonl"
        pipeline = self.written("curriculum.toml", CURRICULUM)
        order = self.run("curate", pipeline, "--input", self.rollouts, "--output", ordered)
        rounds = [sum(1 for _ in (self.folder / f"curriculum_round{number}.jsonl").open()) for number in (1, 2, 3)]
        return {
            "right": kept["right"],
            "sound": kept["detect"],
            "unique": kept["unique"],
            "in_bands": order["stages"][0]["rows_after"],
            **{f"round_{number}": count for number, count in enumerate(rounds, 1)},
        }

    def exported(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, source in (("sft", "good.jsonl"), ("dpo", "rollouts.jsonl"), ("kto", "rollouts.jsonl")):
            folder = self.folder / name
            words = ("--to", "trl", "--input", self.folder / source, "--output", folder, "--check", "-1")
            told = self.run("export", name, *words, codes=(0, 1))
            found[f"{name}_examples"] = told["examples"]
            found[f"{name}_checked"] = told["check"]["checked"]
            found[f"{name}_sound"] = told["check"]["sound"]
            if name == "kto":
                labels = [json.loads(line)["label"] for line in (folder / "train.jsonl").open()]
                found |= {"kto_wanted": sum(labels), "kto_unwanted": len(labels) - sum(labels)}
        return found


def walked(real: Path) -> list[dict[str, Any]]:
    """The counts of every set."""
    rows: list[dict[str, Any]] = []
    for name, source in SOURCES.items():
        with tempfile.TemporaryDirectory() as folder:
            rows.append({"case": name, **Walk(source, Path(folder), real).counts()})
            print(json.dumps(rows[-1], indent=1), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, default=REAL, help="the folder of the public sets")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    measurements.write("curation", walked(arguments.real), arguments.folder)


if __name__ == "__main__":
    main()
