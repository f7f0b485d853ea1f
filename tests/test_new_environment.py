"""From `palestra new` to the README's example: one folder, at most fifteen lines of code."""

import ast
import json
import re
from pathlib import Path

from palestra.cli.main import main
from palestra.conformance.check import check
from palestra.core.discovery import find
from tests.conftest import ROOT

MOST_LINES_OF_CODE = 15


def readme_example() -> str:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return next(block for block in blocks if "LetterCount" in block)


def lines_of_code(text: str) -> int:
    """Lines that are neither blank nor docstring."""
    tree = ast.parse(text)
    docstring = tree.body[0]
    inside = range(docstring.lineno, (docstring.end_lineno or 0) + 1)
    return sum(1 for number, line in enumerate(text.splitlines(), 1) if line.strip() and number not in inside)


def test_a_new_environment_passes_its_check_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "word_backwards"
    assert main(["new", str(folder)]) == 0
    report = check(find(str(folder)))
    assert report.passed, report.to_json()


def test_the_letter_count_example_takes_one_folder_and_few_lines(tmp_path: Path) -> None:
    folder = tmp_path / "letter_count"
    assert main(["new", str(folder)]) == 0
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    example = readme_example()
    assert lines_of_code(example) <= MOST_LINES_OF_CODE
    (folder / "env.py").write_text(example)
    words = [("banana", "a", 3), ("kiwi", "i", 2), ("fig", "z", 0), ("level", "l", 2), ("radio", "o", 1)]
    (folder / "tasks.jsonl").write_text("".join(json.dumps({"word": w, "letter": x}) + "\n" for w, x, _ in words))
    cases = [
        {"name": f"{word} right", "kind": "full", "task": number, "replies": [f"Answer: {count}"], "reward": 1.0}
        for number, (word, _, count) in enumerate(words)
    ]
    cases.append({"name": "wrong", "kind": "zero", "task": 0, "replies": ["Answer: 2"], "reward": 0.0})
    cases.append({"name": "no number", "kind": "malformed", "task": 0, "replies": ["Answer: three"], "reward": 0.0})
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    manifest = (folder / "environment.toml").read_text()
    (folder / "environment.toml").write_text(re.sub(r"(?m)^answer_fields.*\n", "", manifest))
    report = check(find(str(folder)))
    assert report.passed, report.to_json()
    assert {path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".pyc"} == before
