"""Scripts that reproduce an issue, as a reply holds them."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

from palestra.grading.diffs import new_file_patch

OPEN_BLOCK = "```python\n"
CLOSE_BLOCK = "```"
SHORTEST_RULE = 3
UNSOLVED_CODE = 2
"""With which a script says that the issue is there."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A script and the name it is given."""

    path: str
    script: str

    @property
    def patch(self) -> str:
        return new_file_patch(self.path, self.script)

    def as_base64(self, instance_id: str) -> str:
        """The form in which NeMo Gym's rollouts carry it."""
        content = json.dumps({"instance_id": instance_id, "test_patch": [self.patch]})
        return base64.b64encode(content.encode()).decode()


def reproduction_of(text: str) -> Reproduction | None:
    """The last Python block of a reply, or else the script between lines of dashes that begins with `#!`."""
    blocks = python_blocks(text) or ruled_scripts(text)
    return Reproduction(f"reproduce_bug_{len(blocks)}.py", blocks[-1].strip()) if blocks else None


def python_blocks(text: str) -> list[str]:
    blocks: list[str] = []
    start = text.find(OPEN_BLOCK)
    while start >= 0:
        start += len(OPEN_BLOCK)
        end = text.find(CLOSE_BLOCK, start)
        if end < 0:
            break
        blocks.append(text[start:end])
        start = text.find(OPEN_BLOCK, end + len(CLOSE_BLOCK))
    return blocks


def ruled_scripts(text: str) -> list[str]:
    """Texts between two lines of dashes whose first line is a shebang."""
    scripts: list[str] = []
    part: list[str] | None = None
    for line in text.split("\n"):
        if set(line.strip()) == {"-"} and len(line.strip()) >= SHORTEST_RULE:
            script = "\n".join(part or ()).strip()
            if script.startswith("#!"):
                scripts.append(script)
            part = []
        elif part is not None:
            part.append(line)
    return scripts


def reproduces(before: Sequence[int | None], after: Sequence[int | None]) -> bool:
    """Whether the exit codes say that the issue was there before the repair and is gone after it."""
    if not before or len(before) != len(after):
        return False
    return before[0] == UNSOLVED_CODE and after[0] == 0
