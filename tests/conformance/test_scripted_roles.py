"""Environments that ask for further models are checked with scripts in their place."""

import shutil
from pathlib import Path

import pytest

from palestra.conformance.check import check
from palestra.conformance.roles import ruled_roles, scripted_roles
from palestra.core.discovery import find
from palestra.core.errors import PalestraError


def copied(folder: Path) -> Path:
    own = folder / "judged_copy"
    shutil.copytree(find("equivalence_llm_judge").folder, own, ignore=shutil.ignore_patterns("__pycache__"))
    return own


def test_an_environment_without_a_script_for_its_judge_is_told_to_write_one(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    shutil.rmtree(folder / "roles")
    report = check(find(str(folder)))
    assert not report.passed
    (problem,) = [problem for rule in report.rules for problem in rule.problems]
    assert "roles/judge.jsonl is missing" in problem


def test_cases_bring_rules_of_their_own_and_wrong_ones_are_told(tmp_path: Path) -> None:
    source = find(str(copied(tmp_path)))
    assert set(scripted_roles(source, source.options({}))) == {"judge"}
    assert set(ruled_roles({"user": [{"when": "", "reply": "hm"}]})) == {"user"}
    with pytest.raises(PalestraError, match="`roles` of a case"):
        ruled_roles({"judge": [{"when": ""}]})


def test_a_judge_that_pays_everything_is_found_by_the_hostile_replies(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    lax = '{"task": "*", "rules": [{"when": "<gold_(\\\\w+)>", "reply": "{\\"verdict_\\\\1\\": \\"equal\\"}"}]}'
    (folder / "roles" / "judge.jsonl").write_text(lax)
    report = check(find(str(folder)))
    assert any("attacks" in rule.name or "replies" in rule.name for rule in report.rules if rule.problems)
