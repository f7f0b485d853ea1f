"""SEARCH/REPLACE edits in a reply, and what they make of files.

A block is a code fence, a line `### PATH`, and the marked texts:

    ```python
    ### pkg/module.py
    <<<<<<< SEARCH
    the lines as they are
    =======
    the lines as they should be
    >>>>>>> REPLACE
    ```
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from palestra.grading.answers import CLOSE_REASONING, OPEN_REASONING
from palestra.grading.diffs import tree_diff

OPEN_SOLUTION = "<solution>"
CLOSE_SOLUTION = "</solution>"
FENCE = "```"
PATH_MARK = "### "
SEARCH_MARK = "<<<<<<< SEARCH"
DIVIDER = "======="
REPLACE_MARK = ">>>>>>> REPLACE"


class EditError(ValueError):
    """The reply holds no edits that can be applied; the text says why."""


@dataclass(frozen=True, slots=True)
class EditBlock:
    """One replacement in one file."""

    path: str
    search: str
    replace: str


def patch_of_reply(
    text: str, files: Mapping[str, str], *, relaxed: bool = False, drops_first_folder: bool = False
) -> str:
    """The edits of a reply as a unified diff of the files. Raises EditError.

    `relaxed` does without solution tags. `drops_first_folder` takes the first folder off the paths in the diff.
    """
    blocks = list(edit_blocks(solution_of(text, relaxed=relaxed)))
    if not blocks:
        raise EditError("there is no SEARCH/REPLACE block")
    edited = {path: edited_file(path, pairs, files) for path, pairs in by_path(blocks).items()}
    before = {path: files[path] for path in edited}
    if drops_first_folder:
        before, edited = without_first_folder(before), without_first_folder(edited)
    patch = tree_diff(before, edited)
    if not patch:
        raise EditError("the edits leave everything as it is")
    return patch


def solution_of(text: str, *, relaxed: bool) -> str:
    """What stands between the first solution tags after the reasoning. Raises EditError if it must and does not."""
    is_tagged = OPEN_SOLUTION in text and CLOSE_SOLUTION in text
    if not is_tagged and not relaxed:
        raise EditError("there are no <solution> and </solution> tags")
    if OPEN_REASONING in text and CLOSE_REASONING in text:
        text = text.rpartition(CLOSE_REASONING)[2]
    if not is_tagged:
        return text
    _, opened, solution = text.partition(OPEN_SOLUTION)
    solution, closed, _ = solution.partition(CLOSE_SOLUTION)
    if not (opened and closed):
        raise EditError("there is no solution after the reasoning")
    return solution


def edit_blocks(text: str) -> Iterator[EditBlock]:
    """All complete blocks, in their order; what stands around them is not looked at. Takes time linear in the text."""
    lines = text.split("\n")
    position = 0
    ends = LineFinder(lines)
    while position + 2 < len(lines):
        found = None
        if lines[position].startswith(FENCE) and lines[position + 1].startswith(PATH_MARK):
            found = read_block(lines, position, ends)
        if found is None:
            position += 1
        else:
            block, position = found
            yield block


class LineFinder:
    """Where the next line of a kind is, found once for each line of it."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.places = {
            mark: [index for index, line in enumerate(lines) if line == mark] for mark in (DIVIDER, REPLACE_MARK)
        }
        self.next = dict.fromkeys(self.places, 0)

    def after(self, mark: str, position: int) -> int | None:
        """The first line of this kind from a position on; positions must not decrease."""
        places, index = self.places[mark], self.next[mark]
        while index < len(places) and places[index] < position:
            index += 1
        self.next[mark] = index
        return places[index] if index < len(places) else None


def read_block(lines: Sequence[str], fence: int, ends: LineFinder) -> tuple[EditBlock, int] | None:
    """The block that begins at a fence, and the line after it."""
    if lines[fence + 2] != SEARCH_MARK:
        return None
    start = fence + 3
    divider = ends.after(DIVIDER, start)
    end = None if divider is None else ends.after(REPLACE_MARK, divider + 1)
    if divider is None or end is None or end + 1 >= len(lines) or lines[end + 1].strip() != FENCE:
        return None
    path = lines[fence + 1].removeprefix(PATH_MARK).strip()
    block = EditBlock(path, "\n".join(lines[start:divider]), "\n".join(lines[divider + 1 : end]))
    return block, end + 2


def by_path(blocks: Sequence[EditBlock]) -> dict[str, list[EditBlock]]:
    """The blocks of each file, equal ones once."""
    files: dict[str, list[EditBlock]] = {}
    for block in dict.fromkeys(blocks):
        files.setdefault(block.path, []).append(block)
    return files


def edited_file(path: str, blocks: Sequence[EditBlock], files: Mapping[str, str]) -> str:
    """The file with its edits, from the last to the first; each replaces the first text of its kind at a line start."""
    if path not in files:
        raise EditError(f"{path!r} is none of the files of the task")
    content = "\n" + files[path]
    for block in reversed(blocks):
        if block.search == block.replace:
            raise EditError(f"{path}: the searched and the replacing text are the same")
        search = "\n" + block.search
        if search not in content:
            raise EditError(f"{path}: the searched text does not occur at the beginning of a line")
        content = content.replace(search, "\n" + block.replace, 1)
    return content[1:]


def without_first_folder(files: Mapping[str, str]) -> dict[str, str]:
    return {path.partition("/")[2] or path: text for path, text in files.items()}
