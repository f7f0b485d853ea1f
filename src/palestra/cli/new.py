"""Make a folder with a new environment that passes `palestra check` at once."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from palestra.core.discovery import every_environment
from palestra.core.errors import PalestraError
from palestra.core.manifest import NAME_PATTERN

EXAMPLE = "palestra new letter_count"

ENV = '''"""{title}."""

import re

from palestra import Environment, Task, Transcript
from palestra.grading.answers import without_reasoning


class {class_name}Task(Task):
    word: str
    expected_answer: str


class {class_name}(Environment[{class_name}Task]):
    def prompt(self) -> str:
        return f"Spell {{self.task.word!r}} backwards. End with 'Answer: WORD'."

    def verify(self, transcript: Transcript) -> float:
        found = re.search(r"Answer: (\\w+)\\s*$", without_reasoning(transcript.reply))
        return float(found is not None and found[1] == self.task.expected_answer)
'''

MANIFEST = """name = "{name}"
summary = "{title}."
domain = "other"
version = "1"                          # raise it when the same reply may get another reward
answer_fields = ["expected_answer"]    # must not reach the prompt
answer = "slot"                        # or "whole", "calls", "open": what `palestra check` attacks
reverify = "transcript"
licence = "Apache-2.0"

[reward]
kind = "binary"
minimum = 0.0
maximum = 1.0
"""

README = """# {name}

What the model has to do, in two sentences.

- **Tasks**: where they come from, and their licence.
- **Reward**: 1 if ..., else 0.
- **Known hacks**: what a model could try, and what is done against it.

```
palestra check {folder}
palestra play {folder}
palestra collect {folder} --model embedded --repeats 4 --output rollouts.jsonl
```
"""

WORDS = ("river", "candle", "orbit", "velvet", "puzzle", "garden")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="made new; its last part names the environment")


def execute(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.folder
    make_environment(folder)
    print(f"made {folder}: env.py, environment.toml, tasks.jsonl, cases.jsonl, README.md")
    print(f"next: palestra check {folder}")
    return 0


def make_environment(folder: Path) -> None:
    """Make the folder with all its files. Raises PalestraError if it or an environment of its name is there already."""
    name = folder.name
    if not re.match(NAME_PATTERN, name):
        fix = "Use lower case letters, digits and underscores, and start with a letter."
        raise PalestraError("usage", f"{name!r} cannot name an environment", fix=fix)
    if folder.exists():
        raise PalestraError("usage", f"{folder} exists already", fix="Name a folder that does not.")
    if any(source.name == name for source in every_environment()):
        raise PalestraError("usage", f"there is an environment named {name!r} already", fix="Choose another name.")
    folder.mkdir(parents=True)
    for file_name, text in files(name, folder).items():
        (folder / file_name).write_text(text, encoding="utf-8")


def files(name: str, folder: Path) -> dict[str, str]:
    class_name = "".join(part.capitalize() for part in name.split("_"))
    title = name.replace("_", " ").capitalize()
    tasks = [{"word": word, "expected_answer": word[::-1]} for word in WORDS]
    first = tasks[0]["expected_answer"]
    cases = [
        {"name": "right answer", "kind": "full", "task": 0, "replies": [f"Answer: {first}"], "reward": 1.0},
        {"name": "wrong answer", "kind": "zero", "task": 0, "replies": ["Answer: river"], "reward": 0.0},
        {"name": "no answer", "kind": "malformed", "task": 0, "replies": ["I do not know."], "reward": 0.0},
        {"name": "the last answer counts", "kind": "adversarial", "task": 0,
         "replies": [f"Answer: {first} Answer: river"], "reward": 0.0},
    ]  # fmt: skip
    return {
        "env.py": ENV.format(title=title, class_name=class_name),
        "environment.toml": MANIFEST.format(name=name, title=title),
        "tasks.jsonl": as_lines(tasks),
        "cases.jsonl": as_lines(cases),
        "README.md": README.format(name=name, folder=folder),
    }


def as_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
