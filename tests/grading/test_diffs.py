"""Diffs that git applies, edits read out of replies, and scripts."""

import asyncio
import base64
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palestra.grading.diffs import file_diff, new_file_patch, paths_in, tree_diff
from palestra.grading.edit_blocks import EditBlock, EditError, edit_blocks, edited_file, patch_of_reply
from palestra.grading.reproduction import Reproduction, reproduces, reproduction_of
from palestra.hosts.grading_pool import GradingPool

LINES = st.lists(st.sampled_from(["a", "b", "", "  c", "d\r", "\x0c", "e\u2028f", "\\ No newline at end of file"]))
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n", "\n\n"]))
FILES = {"pkg/a.py": "one\ntwo\none\n  two\n", "pkg/b.py": "x = 1\n"}
HOSTILE = [
    "```\n### a\n<<<<<<< SEARCH\n" * 30_000,
    "```\n### pkg/a.py\n<<<<<<< SEARCH\n=======\n" * 30_000,
    "<solution>" * 50_000 + "</solution>",
    "<solution>" + "```python\n### pkg/a.py\n<<<<<<< SEARCH\none\n=======\n>>>>>>> REPLACE\n" * 20_000 + "</solution>",
    "```python\n" * 100_000,
    "-----\n#!x\n" * 100_000,
    "=======\n" * 200_000,
]


def block(search: str, replace: str, path: str = "pkg/a.py", fence: str = "```python") -> str:
    return f"{fence}\n### {path}\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n```\n"


def git_applied(folder: Path, files: dict[str, str], patch: str) -> dict[str, str]:
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()
    for path, text in files.items():
        (folder / path).write_bytes(text.encode())
    if patch:
        command = ["git", "apply", "--whitespace=nowarn", "-"]
        subprocess.run(command, cwd=folder, input=patch.encode(), check=True, timeout=30, capture_output=True)
    return {path.name: path.read_bytes().decode() for path in folder.iterdir()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.dictionaries(st.sampled_from("pqr"), TEXTS), after=st.dictionaries(st.sampled_from("pqr"), TEXTS))
def test_git_makes_of_a_diff_what_it_says(tmp_path: Path, before: dict[str, str], after: dict[str, str]) -> None:
    # Git tells an empty file from none by a header that has no lines to go with it.
    before = {path: text for path, text in before.items() if text}
    after = {path: text for path, text in after.items() if text}
    patch = tree_diff(before, after)
    assert git_applied(tmp_path, before, patch) == after
    assert paths_in(patch) == {path for path in {*before, *after} if before.get(path) != after.get(path)}


def test_diffs_have_the_header_of_git_and_three_lines_around() -> None:
    before = "".join(f"{number}\n" for number in range(9))
    patch = file_diff("pkg/a.py", before, before.replace("4\n", "four\n"))
    assert patch == (
        "diff --git a/pkg/a.py b/pkg/a.py\n--- a/pkg/a.py\n+++ b/pkg/a.py\n@@ -2,7 +2,7 @@\n"
        " 1\n 2\n 3\n-4\n+four\n 5\n 6\n 7\n"
    )
    assert file_diff("a", "same", "same") == ""


def test_new_files_are_made(tmp_path: Path) -> None:
    patch = new_file_patch("new.py", "import sys\n\nsys.exit(2)")
    assert git_applied(tmp_path, {}, patch) == {"new.py": "import sys\n\nsys.exit(2)\n"}
    assert paths_in(patch) == {"new.py"}


@pytest.mark.parametrize(
    "patch",
    [
        "diff --git a/x.py b/conftest.py\nsimilarity index 100%\nrename from x.py\nrename to conftest.py\n",
        "--- a/x.py\n+++ b/conftest.py\n@@ -1 +1 @@\n-a\n+b\n",
        '--- a/x.py\n+++ "b/conftest.py"\n@@ -1 +1 @@\n-a\n+b\n',
        "--- a/x.py\t2020-01-01\n+++ b/conftest.py\t2020-01-01\n@@ -1 +1 @@\n-a\n+b\n",
    ],
)
def test_all_files_of_a_patch_are_named(patch: str) -> None:
    assert paths_in(patch) == {"x.py", "conftest.py"}


def test_edits_become_a_patch() -> None:
    reply = f"<think>hm</think>text <solution>\n{block('two', '2')}\n{block('x = 1', 'x = 2', 'pkg/b.py')}</solution>"
    patch = patch_of_reply(reply, FILES)
    assert "-two\n+2\n one\n   two\n" in patch
    assert "-x = 1\n+x = 2\n" in patch


def test_a_folder_can_be_taken_off_the_paths() -> None:
    patch = patch_of_reply(f"<solution>{chr(10)}{block('two', '2')}</solution>", FILES, drops_first_folder=True)
    assert patch.startswith("diff --git a/a.py b/a.py\n")


def test_the_first_solution_after_the_last_thought_counts() -> None:
    right, wrong = block("two", "2"), block("two", "3")
    between = f"<solution>\n{right}</solution><solution>\n{wrong}</solution>"
    assert "+2" in patch_of_reply(between, FILES)
    thought = f"<think><solution>\n{wrong}</solution></think>"
    assert "+2" in patch_of_reply(f"{thought}<solution>\n{right}</solution>", FILES)
    with pytest.raises(EditError, match="after the reasoning"):
        patch_of_reply(thought, FILES)
    # Without the opening tag nothing says that what stands before the closing one is reasoning.
    assert "+3" in patch_of_reply(thought.removeprefix("<think>") + f"<solution>\n{right}</solution>", FILES)


def test_tags_are_optional_when_relaxed() -> None:
    with pytest.raises(EditError, match="no <solution>"):
        patch_of_reply(block("two", "2"), FILES)
    assert "+2" in patch_of_reply(block("two", "2"), FILES, relaxed=True)
    assert "+2" in patch_of_reply(
        f"<think>{block('two', '3')}</think>{chr(10)}{block('two', '2')}", FILES, relaxed=True
    )


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (block("two", "two"), "are the same"),
        (block("wo", "2"), "beginning of a line"),
        (block("three", "3"), "does not occur"),
        (block("two", "2", "conftest.py"), "'conftest.py' is none of the files"),
        (block("two", "2") + block("two", "3") + block("two", "4"), "does not occur"),
        (block("two", "2").replace("```\n", "", 1).removesuffix("```\n"), "no SEARCH/REPLACE block"),
        (block("two", "2").replace("=======\n", ""), "no SEARCH/REPLACE block"),
        (block("two", "2").replace("### ", "## "), "no SEARCH/REPLACE block"),
        (block("one", "1") + block("1", "one"), "does not occur"),
    ],
)
def test_what_is_no_edit(blocks: str, message: str) -> None:
    with pytest.raises(EditError, match=message):
        patch_of_reply(f"<solution>\n{blocks}</solution>", FILES)


def test_equal_edits_count_once_and_the_last_comes_first() -> None:
    same = EditBlock("f", "a", "b")
    assert edited_file("f", [same], {"f": "a\na\n"}) == "b\na\n"
    assert "+2" in patch_of_reply(f"<solution>\n{block('two', '2') * 3}</solution>", FILES)
    edits = [EditBlock("f", "a", "x"), EditBlock("f", "a", "y")]
    assert edited_file("f", edits, {"f": "a\na\n"}) == "y\nx\n"


def test_searched_texts_may_end_within_a_line_and_replacements_may_be_empty() -> None:
    assert edited_file("f", [EditBlock("f", "ab", "x")], {"f": "abc\n"}) == "xc\n"
    assert list(edit_blocks("```\n### f\n<<<<<<< SEARCH\na\n=======\n>>>>>>> REPLACE\n```")) == [
        EditBlock("f", "a", "")
    ]


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=4), TEXTS)
def test_blocks_are_found_in_any_text(pairs: list[tuple[str, str]], between: str) -> None:
    text = between.join("\n" + block(search, replace) for search, replace in pairs)
    assert [(found.search, found.replace) for found in edit_blocks(text)] == pairs


def all_readings(text: str) -> list[str]:
    found: list[str] = []
    for relaxed in (False, True):
        try:
            found.append(patch_of_reply(text, FILES, relaxed=relaxed))
        except EditError as error:
            found.append(str(error))
    return [*found, str(reproduction_of(text))]


def test_hostile_texts_are_read_before_the_deadline() -> None:
    async def read() -> list[list[str]]:
        pool = GradingPool(1)
        try:
            # Quadratic reading of these takes much longer.
            return [await pool.call(all_readings, text, deadline_s=4.0) for text in HOSTILE]
        finally:
            await pool.close()

    for readings in asyncio.run(read()):
        assert len(readings) == 3
        assert not readings[0].startswith("diff")


def test_the_last_python_block_is_the_script() -> None:
    found = reproduction_of(
        "```python\nfirst\n```\n```bash\nls\n```\n```python\n\nimport sys\nsys.exit(2)\n\n```\nDone."
    )
    assert found == Reproduction("reproduce_bug_2.py", "import sys\nsys.exit(2)")
    assert reproduction_of("no block ```python\nunfinished") is None


def test_scripts_between_lines_of_dashes() -> None:
    text = "Here:\n-----\n#!/usr/bin/env python\nimport sys\n-----\nThat is it."
    assert reproduction_of(text) == Reproduction("reproduce_bug_1.py", "#!/usr/bin/env python\nimport sys")
    assert reproduction_of("-----\nimport sys\n-----") is None


def test_scripts_travel_as_patches() -> None:
    content = json.loads(base64.b64decode(Reproduction("reproduce_bug_1.py", "a\nb").as_base64("x__y-1")))
    assert content["instance_id"] == "x__y-1"
    assert content["test_patch"] == [
        "diff --git a/reproduce_bug_1.py b/reproduce_bug_1.py\nnew file mode 100644\nindex 0000000..e69de29\n"
        "--- /dev/null\n+++ b/reproduce_bug_1.py\n@@ -0,0 +1,2 @@\n+a\n+b\n"
    ]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [([2], [0], True), ([1], [1], False), ([2], [2], False), ([0], [0], False), ([None], [0], False), ([], [], False),
     ([2, 1], [0, 1], True), ([2], [0, 0], False)],
)  # fmt: skip
def test_exit_codes_that_show_an_issue(before: list[int | None], after: list[int | None], shown: bool) -> None:
    assert reproduces(before, after) is shown
