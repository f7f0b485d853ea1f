"""One test for every environment, found by discovery."""

import ast
from pathlib import Path

import pytest

from palestra.conformance.check import check
from palestra.core.discovery import Source, every_environment
from palestra.data.load import count_rows

SOURCES = list(every_environment())
MINIMUM_TASKS = 20
NAMES = {source.folder.name for source in SOURCES}
OWN_RULES = [
    source
    for source in SOURCES
    if source.name in NAMES
    or source.options({}) != next(o for o in SOURCES if o.name == source.folder.name).options({})
]
"""All but those that are another name of an environment and nothing else."""


@pytest.mark.parametrize(
    "source",
    [pytest.param(source, marks=[pytest.mark.slow] if source.manifest.sandbox else []) for source in OWN_RULES],
    ids=[source.name for source in OWN_RULES],
)
def test_every_rule_holds(source: Source) -> None:
    report = check(source)
    assert report.passed, [(rule.name, rule.problems) for rule in report.rules if rule.problems]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_it_ships_tasks_to_start_with(source: Source) -> None:
    assert count_rows(source.folder / "tasks.jsonl") >= MINIMUM_TASKS


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_its_manifest_fits_its_folder(source: Source) -> None:
    own_names = {source.folder.name, *(found.name for found in SOURCES if found.folder == source.folder)}
    assert source.name in own_names
    assert source.manifest.licence != "unknown"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_what_differs_from_nemo_gym_is_listed_once(source: Source) -> None:
    _, found, section = (source.folder / "README.md").read_text().partition("\n## Differences from NeMo Gym\n")
    assert bool(found) == bool(source.manifest.deviations)
    lines = section.partition("\n## ")[0].splitlines()
    assert not [line for line in lines if line.startswith(("|", "-", "*"))], "the list stands in environment.toml"


def functions_of(folder: Path) -> dict[str, str]:
    """The functions of a folder that say more than one thing, by their code without names and doc strings."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[ast.get_docstring(node) is not None :]
                if len([part for part in ast.walk(ast.Module(body, [])) if isinstance(part, ast.stmt)]) > 1:
                    found["\n".join(ast.unparse(part) for part in body)] = f"{path.parent.name}/{path.name} {node.name}"
    return found


def test_no_two_environments_share_a_function() -> None:
    seen: dict[str, str] = {}
    for folder in sorted({source.folder for source in SOURCES}):
        own = functions_of(folder)
        shared = [(seen[code], place) for code, place in own.items() if code in seen]
        assert not shared, "what two environments do belongs to palestra.grading"
        seen |= own
