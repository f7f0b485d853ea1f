"""One test for every environment, found by discovery."""

import pytest

from palestra.conformance.check import check
from palestra.core.discovery import Source, every_environment
from palestra.data.load import count_rows

SOURCES = list(every_environment())
MINIMUM_TASKS = 20


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
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
