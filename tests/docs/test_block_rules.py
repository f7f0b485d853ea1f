"""The blocks' own rules: a page that is wrong is found out, and what is not run is listed with its reason."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.blocks import blocks_of
from tests.docs.execution import problems_of
from tests.docs.output import normalised
from tests.docs.pages import PAGES, name_of

NOT_RUN = Path(__file__).parent / "not_run.txt"


def run(text: str, folder: Path, *, update_outputs: bool = False) -> list[str]:
    page = folder / "page.md"
    page.write_text(text)
    return problems_of(page, folder, update_outputs=update_outputs)


RIGHT = """# A page

% file: data/rows.jsonl
```jsonl
{"word": "ant"}
```

```bash
export GREETING=hello
cd data
wc -l < rows.jsonl
```

% output
```text
1
```

- In a list, and in the folder and with the variable of the block before:

  ```bash
  echo "$GREETING $(ls)"
  ```

  % output
  ```text
  hello rows.jsonl
  ```

:::{tip}
```python
count = len(open("data/rows.jsonl").readlines())
```
:::

````{admonition} Also within backticks
```python
print(count)
```
````

% output
```text
1
```

% fails: 2
```bash
palestra collcet
```

% output
```text
palestra: no command is named 'collcet'. Did you mean 'collect'? There are: COMMANDS
  what to do: Run the command with --help; its example shows a working line.  [usage]
```
"""


@pytest.mark.slow
def test_right_page_passes(tmp_path: Path) -> None:
    from palestra.cli.main import VERBS

    assert run(RIGHT.replace("COMMANDS", ", ".join(VERBS) + "."), tmp_path) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```bash\npalestra collct mcqa\n```", "exit code 2, not 0"),
        ("```bash\nfalse\necho next\n```", "exit code 1, not 0"),
        ("```bash\nfalse | true\n```", "exit code 1, not 0"),
        ("```bash\necho $UNSET_NAME\n```", "unbound variable"),
        ("% fails: 3\n```bash\ntrue\n```", "exit code 0, not 3"),
        ("```bash\necho one\n```\n\n% output\n```text\ntwo\n```", "printed:\none"),
        ("```python\nimport palestra\npalestra.Enviroment\n```", "AttributeError"),
        ("```python\nassert 1 + 1 == 3\n```", "AssertionError"),
        ('```json\n{"responses_create_params": {"input": 4}, "response": {}, "reward": 1}\n```', "not a valid rollout"),
        ('% schema: rolout\n```json\n{}\n```', "none of script, case, input_row"),
        ("```json\n{not json}\n```", "Expecting property name"),
        ('```json\n{"task": "*", "replies": []}\n```', "at least one"),
        ('```json\n{"name": "x", "kind": "fulll", "replies": ["a"], "reward": 1}\n```', "kind"),
        ('```toml\nname = "mcqa"\n```', "summary"),
        ("```yaml\na: 1\n```", "YAML is what NeMo Gym's commands read"),
        ("```\nplain\n```", "'no language' is none of"),
        ("```rust\nfn main() {}\n```", "'rust' is none of"),
        ("```text\nfree\n```", "a text block needs"),
        ("% no-run:\n```bash\nfalse\n```", "no-run needs a reason"),
        ("% norun: x\n```bash\nfalse\n```", "no mark is named 'norun'"),
        ("% file: ../outside.py\n```python\nx = 1\n```", "outside the page's folder"),
        ("- in a list\n\n  ```bash\n  false\n  ```", "exit code 1"),
        ("::::{tab-set}\n:::{tab-item} One\n```bash\nfalse\n```\n:::\n::::", "exit code 1"),
        ("```{code-block} python\n:caption: x\n\nraise ValueError('in a directive')\n```", "in a directive"),
    ],
)  # fmt: skip
def test_wrong_block_is_found(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in "\n".join(problems_or_error(text, tmp_path))


def problems_or_error(text: str, folder: Path) -> list[str]:
    try:
        return run(f"# A page\n\n{text}\n", folder)
    except ValueError as error:
        return [str(error)]


def test_what_a_block_leaves_running_ends_with_the_page(tmp_path: Path) -> None:
    assert run("```bash\nsleep 600 &\necho $! > pid\n```\n", tmp_path) == []
    process = int((tmp_path / "work" / "pid").read_text())
    for _ in range(500):
        if has_ended(process):
            return
        time.sleep(0.01)
    pytest.fail(f"process {process} is still at work")


def has_ended(process: int) -> bool:
    """Whether a process is gone; one that is killed may wait for its parent to notice."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return found.stdout.strip().startswith("Z") or not found.stdout.strip()


def test_outputs_are_rewritten_on_demand(tmp_path: Path) -> None:
    text = "```bash\necho one; echo two\n```\n\n% output\n```text\nold\n```\n\nAfter it.\n"
    assert run(text, tmp_path, update_outputs=True) == []
    assert (tmp_path / "page.md").read_text() == text.replace("old", "one\ntwo")


@pytest.mark.parametrize(
    ("shown", "printed", "only_shape"),
    [
        ("done in 0.4 s", "done in 12.25 s", False),
        ("8 judged, in 0:07", "8 judged, in 1:00:12", False),
        ("palestra 0.1.0", "palestra 0.1.0\n", False),
        ("mean/reward  0.25", "mean/reward  0.3281", True),
        ("metric   value\na        1", "metric      value\na           12.5", True),
    ],
)
def test_times_and_on_demand_numbers_do_not_count(shown: str, printed: str, only_shape: bool) -> None:
    assert normalised(shown, only_shape=only_shape) == normalised(printed, only_shape=only_shape)


@pytest.mark.parametrize(("shown", "printed"), [("8 judged", "9 judged"), ("0 failed", "1 failed"), ("a b", "a  b")])
def test_everything_else_counts(shown: str, printed: str) -> None:
    assert normalised(shown, only_shape=False) != normalised(printed, only_shape=False)


def test_blocks_that_are_not_run_are_listed_with_their_reason(update_golden: bool) -> None:
    found = [
        f"{name_of(page)}: {block.language}: {block.marks['no-run']}"
        for page in PAGES
        for block in blocks_of(page)
        if "no-run" in block.marks
    ]
    text = "".join(f"{line}\n" for line in found)
    print(f"{len(found)} blocks are not run:\n{text}")
    if update_golden:
        NOT_RUN.write_text(text, encoding="utf-8")
    assert NOT_RUN.read_text(encoding="utf-8") == text, "a block more or less is not run: --update-golden accepts it"


def test_every_page_of_the_repository_is_looked_at() -> None:
    assert ROOT / "README.md" in PAGES
    assert len(PAGES) > 20
