"""Small repositories with known bugs: the data in `repository_trees`, as instances that have to be repaired.

A repository is a package with its tests, all of which pass. A bug undoes a piece of it: its edits turn right code into
wrong code. An instance is the tree with one bug, without the tests that show it; those come with the test patch, as in
SWE-bench.
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from palestra.core.errors import suggestion
from palestra.grading.diffs import tree_diff

FOLDER = Path(__file__).parent / "repository_trees"
SOURCE_SUFFIXES = frozenset({".py", ".toml", ".md"})
TESTS = "tests/"


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of a file as it should be, and as the bug has it. The right piece occurs once."""

    path: str
    fixed: str
    broken: str


@dataclass(frozen=True, slots=True)
class Instance:
    """A repository with a bug. Files are texts by their path in the repository."""

    instance_id: str
    """`REPOSITORY__BUG`."""
    repository: str
    """The name of the repository, which is also that of its only package."""
    version: str
    problem_statement: str
    """An issue as a user would write it."""
    files: Mapping[str, str]
    """The broken tree, without the tests that show the bug: what a model may see."""
    trusted: Mapping[str, str]
    """The right tree with all tests: what is judged with, never shown."""
    edits: tuple[Edit, ...]
    fail_to_pass: tuple[str, ...]
    """Test ids that fail before and pass after the repair."""
    pass_to_pass: tuple[str, ...]
    """All other tests; they pass before and after."""

    @property
    def patch(self) -> str:
        """The repair."""
        return tree_diff(self.files, {**self.files, **self.sources(self.trusted)})

    @property
    def test_patch(self) -> str:
        """The tests that show the bug, as a patch of the broken tree."""
        return tree_diff(self.files, {**self.files, **tests_of(self.trusted)})

    @property
    def source_files(self) -> Mapping[str, str]:
        """The files a repair is about: modules of the package in the broken tree."""
        return self.sources(self.files)

    def sources(self, files: Mapping[str, str]) -> dict[str, str]:
        return {path: text for path, text in files.items() if path.startswith(f"{self.repository}/")}

    def repaired_in(self, count: int) -> str:
        """A patch that makes only the first `count` of the edits good."""
        repaired = self.sources(broken_tree(self.trusted, self.edits[count:]))
        return tree_diff(self.files, {**self.files, **repaired})

    def as_row(self) -> dict[str, Any]:
        """The instance under the names that SWE-Gym's rows have."""
        return {
            "instance_id": self.instance_id,
            "repo": self.repository,
            "version": self.version,
            "problem_statement": self.problem_statement,
            "hints_text": "",
            "patch": self.patch,
            "test_patch": self.test_patch,
            "FAIL_TO_PASS": list(self.fail_to_pass),
            "PASS_TO_PASS": list(self.pass_to_pass),
        }


def repository_names() -> list[str]:
    return sorted(path.name for path in FOLDER.iterdir() if (path / "bugs.toml").is_file())


def instances() -> Iterator[Instance]:
    """All instances of all repositories, sorted by repository, in the order of their bugs."""
    for repository in repository_names():
        yield from instances_of(repository)


def instance_named(instance_id: str) -> Instance:
    """Raises KeyError, whose text suggests the nearest name."""
    repository = instance_id.partition("__")[0]
    known = instances_of(repository) if repository in repository_names() else tuple(instances())
    found = next((instance for instance in known if instance.instance_id == instance_id), None)
    if found is None:
        near = suggestion(instance_id, [instance.instance_id for instance in known])
        raise KeyError(f"no instance {instance_id!r} is shipped with Palestra.{near}")
    return found


@cache
def instances_of(repository: str) -> tuple[Instance, ...]:
    folder = FOLDER / repository
    content = tomllib.loads((folder / "bugs.toml").read_text(encoding="utf-8"))
    test_ids = tomllib.loads((folder / "tests.toml").read_text(encoding="utf-8"))
    trusted = MappingProxyType(read_tree(folder / "tree"))
    version = tomllib.loads(trusted["pyproject.toml"])["project"]["version"]
    return tuple(make_instance(repository, version, bug, trusted, test_ids) for bug in content["bugs"])


def make_instance(
    repository: str, version: str, bug: Mapping[str, Any], trusted: Mapping[str, str], test_ids: Mapping[str, Any]
) -> Instance:
    edits = tuple(Edit(**edit) for edit in bug["edits"])
    failing = tuple(test_ids["fail_to_pass"].get(bug["name"], ()))
    return Instance(
        instance_id=f"{repository}__{bug['name']}",
        repository=repository,
        version=version,
        problem_statement=bug["issue"],
        files=MappingProxyType(without_tests(broken_tree(trusted, edits), failing)),
        trusted=trusted,
        edits=edits,
        fail_to_pass=failing,
        pass_to_pass=tuple(name for name in test_ids["all"] if name not in set(failing)),
    )


def read_tree(folder: Path) -> dict[str, str]:
    """The files of a tree as texts, by their path in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in SOURCE_SUFFIXES)
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def broken_tree(trusted: Mapping[str, str], edits: Sequence[Edit]) -> dict[str, str]:
    """The tree with a bug. Raises ValueError if the right piece of an edit does not occur exactly once."""
    files = dict(trusted)
    for edit in edits:
        if files[edit.path].count(edit.fixed) != 1:
            raise ValueError(f"{edit.path}: {edit.fixed!r} occurs {files[edit.path].count(edit.fixed)} times, not once")
        files[edit.path] = files[edit.path].replace(edit.fixed, edit.broken)
    return files


def tests_of(files: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in files.items() if path.startswith(TESTS)}


def without_tests(files: Mapping[str, str], test_ids: Sequence[str]) -> dict[str, str]:
    """The tree without the test functions that these ids name; of a parametrized one all go."""
    kept = dict(files)
    for path in {test_id.partition("::")[0] for test_id in test_ids}:
        names = {test_id.partition("::")[2].partition("[")[0] for test_id in test_ids if test_id.startswith(path)}
        kept[path] = without_functions(files[path], names)
    return kept


def without_functions(source: str, names: set[str]) -> str:
    """A module without some of its functions, their decorators and the empty lines before them."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef) and node.name in names:
            start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
            while start and not lines[start - 1].strip():
                start -= 1
            del lines[start : node.end_lineno]
    return "".join(lines)
