"""Changes of source files: unified diffs that git applies."""

import re
from collections.abc import Iterator, Mapping
from difflib import unified_diff

CONTEXT_LINES = 3
NO_LINE_END = "\\ No newline at end of file\n"

OLD_SIDE = re.compile(r'^(?:---|rename from|copy from) "?(?:a/)?([^\t\n"]+)', re.MULTILINE)
NEW_SIDE = re.compile(r'^(?:\+\+\+|rename to|copy to) "?(?:b/)?([^\t\n"]+)', re.MULTILINE)
GIT_HEADER = re.compile(r"^diff --git a/(\S+) b/(\S+)$", re.MULTILINE)


def file_diff(path: str, before: str | None, after: str | None) -> str:
    """The change of one file as a unified diff with git's header; empty if there is none.

    `before` is None for a file that is made, `after` for one that is removed. Lines end with a line feed only: other
    line ends are part of the line, as git sees them.
    """
    if before == after:
        return ""
    header = f"diff --git a/{path} b/{path}\n"
    if before is None:
        header += "new file mode 100644\n"
    if after is None:
        header += "deleted file mode 100644\n"
    old = "/dev/null" if before is None else f"a/{path}"
    new = "/dev/null" if after is None else f"b/{path}"
    lines = unified_diff(lines_of(before or ""), lines_of(after or ""), old, new, n=CONTEXT_LINES)
    return header + "".join(line if line.endswith("\n") else f"{line}\n{NO_LINE_END}" for line in lines)


def tree_diff(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The changes between two trees of files by path, sorted by path."""
    paths = sorted({*before, *after})
    return "".join(file_diff(path, before.get(path), after.get(path)) for path in paths)


def new_file_patch(path: str, content: str) -> str:
    """A patch that makes a file, with the header that `git diff` writes for one that was only announced to it."""
    lines = content.split("\n")
    added = "\n".join("+" + line for line in lines)
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..e69de29\n--- /dev/null\n"
        f"+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{added}\n"
    )


def paths_in(patch: str) -> frozenset[str]:
    """The files that a patch names anywhere, also as the source of a rename."""
    return frozenset(path.strip() for path in named_paths(patch)) - {"/dev/null", "dev/null"}


def named_paths(patch: str) -> Iterator[str]:
    for pattern in (OLD_SIDE, NEW_SIDE):
        for found in pattern.finditer(patch):
            yield found[1]
    for found in GIT_HEADER.finditer(patch):
        yield from found.groups()


def lines_of(text: str) -> list[str]:
    """Lines with their line feeds. str.splitlines would also split at form feeds and carriage returns."""
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
