"""A folder with environments, rows, a script and an output, and a collect over them."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from palestra.collection.collect import Report, collect
from palestra.collection.config import CollectConfig, ModelChoice
from palestra.rollout.record import Outcome
from palestra.store.paths import RunPaths

ECHO = """
from palestra import Environment, Task, Transcript


class EchoTask(Task):
    text: str


class Echo(Environment[EchoTask]):
    def prompt(self) -> str:
        return f"Say {self.task.text}."

    def verify(self, transcript: Transcript) -> float:
        return float(transcript.reply == self.task.text)
"""

CAPITALS = """
from collections.abc import Sequence

from palestra import Environment, Item, Step, Task, Transcript
from palestra.core.transcript import user_message

COUNTRIES = ("France", "Italy", "Spain")


class CapitalTask(Task):
    number: int


class Capitals(Environment[CapitalTask]):
    def prompt(self) -> str:
        self.asked = 0
        return "What is the capital of France?"

    def step(self, items: Sequence[Item]) -> Step:
        self.asked += 1
        if self.asked == len(COUNTRIES):
            return Step(done=True)
        return Step((user_message(f"And of {COUNTRIES[self.asked]}?"),))

    def verify(self, transcript: Transcript) -> float:
        return float("Paris" in transcript.text)
"""
"""Three questions that a small model answers in a few tokens each."""

WORDS = ("ant", "bee", "cat")


class Workspace:
    """Everything of one test is below its temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.remarks: list[str] = []
        self.environment("echo", ECHO)
        self.script({"*": ["bee"]})

    @property
    def paths(self) -> RunPaths:
        return RunPaths(self.folder / "out" / "rollouts.jsonl")

    def environment(self, name: str, code: str, **manifest: Any) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "env.py").write_text(f'"""{name}."""\n{code}')
        reward = {"kind": "continuous", "minimum": -1.0, "maximum": 1.0}
        content = {"name": name, "summary": name, "domain": "other", "licence": "Apache-2.0", **manifest}
        lines = [f"{key} = {json.dumps(value)}" for key, value in content.items()]
        lines += ["[reward]", *(f"{key} = {json.dumps(value)}" for key, value in reward.items())]
        (folder / "environment.toml").write_text("\n".join(lines) + "\n")
        return folder

    def rows(self, rows: Iterable[Any], name: str = "rows.jsonl") -> Path:
        path = self.folder / name
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return path

    def script(self, replies: Mapping[str, list[Any]], name: str = "script.jsonl") -> Path:
        path = self.folder / name
        path.write_text("".join(json.dumps({"task": task, "replies": said}) + "\n" for task, said in replies.items()))
        return path

    def config(self, **changes: Any) -> CollectConfig:
        values = {
            "environments": (str(self.folder / "echo"),),
            "output": self.paths.rollouts,
            "model": ModelChoice(spec=f"scripted:{self.folder / 'script.jsonl'}"),
            "input": None if changes.keys() & {"split", "generate"} else self.folder / "rows.jsonl",
            **changes,
        }
        return CollectConfig(**values)

    def collect(self, observe: Callable[[Outcome], None] = lambda outcome: None, **changes: Any) -> Report:
        self.remarks = []
        return asyncio.run(collect(self.config(**changes), show=self.remarks.append, observe=observe))


def words(count: int) -> list[dict[str, Any]]:
    """Rows of the echo environment, all different; one of three is answered rightly by "bee"."""
    return [{"text": WORDS[number % 3], "number": number} for number in range(count)]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]


def timeless(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line without what two equal runs need not share."""
    response = {name: value for name, value in (line.get("response") or {}).items() if name != "created_at"}
    dropped = ("timing", "started_at", "crc32")
    own = {name: value for name, value in line["palestra"].items() if name not in dropped}
    return {**line, "response": response, "palestra": own}


def comparable(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, sorted by key, without times."""
    return sorted(map(timeless, lines_of(path)), key=lambda line: line["palestra"]["key"])


def keys_of(path: Path) -> list[str]:
    return [line["palestra"]["key"] for line in lines_of(path)]
