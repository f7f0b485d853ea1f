"""`palestra fsck` as a user types it: exit codes, what it prints, and that the run then goes on."""

import fcntl
import json
from pathlib import Path

import pytest

from palestra.cli.main import main
from tests.collection.workspace import Workspace, comparable, words


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.rows(words(6))
    made.collect(repeats=2)
    return made


def damage(path: Path) -> None:
    """Flip a bit in the second line, and tear the last one."""
    content = bytearray(path.read_bytes())
    content[content.index(b"\n") + 30] ^= 4
    path.write_bytes(content[:-40])


def test_a_sound_run_exits_0(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fsck", str(place.paths.rollouts)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "sound"
    assert f"{place.paths.rollouts}: 12 lines: sound" in out
    assert main(["fsck", str(place.paths.rollouts), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sound"] is True
    assert [(file["lines"], file["without_checksum"]) for file in told["files"]] == [(12, 0), (0, 0), (12, 0)]


def test_a_dry_run_reports_and_changes_nothing(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    damage(place.paths.rollouts)
    before = place.paths.rollouts.read_bytes()
    assert main(["fsck", str(place.paths.rollouts), "--dry-run"]) == 1
    out = capsys.readouterr().out
    assert "  line 2 does not match its checksum" in out
    assert "  has a half-written last line of " in out
    assert "without --dry-run" in out
    assert place.paths.rollouts.read_bytes() == before
    assert not place.paths.quarantine.exists()


def test_what_was_set_aside_is_played_again_by_the_resume_it_names(
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed = comparable(place.paths.rollouts)
    damage(place.paths.rollouts)
    assert main(["fsck", str(place.paths.rollouts), "--json"]) == 1
    (file, *_) = json.loads(capsys.readouterr().out)["files"]
    assert [entry["line"] for entry in file["damaged"]] == [2]
    assert file["torn_tail_bytes"] > 0
    assert main(["fsck", str(place.paths.rollouts)]) == 0
    report = place.collect(repeats=2, resume=True)
    assert (report.judged, report.stored, place.remarks) == (2, 12, [])
    assert comparable(place.paths.rollouts) == undisturbed
    assert len(place.paths.quarantine.read_bytes().splitlines()) == 2
    capsys.readouterr()
    damage(place.paths.failures.with_name("rollouts_materialized_inputs.jsonl"))
    assert main(["fsck", str(place.paths.rollouts)]) == 1
    assert "`palestra collect`" in capsys.readouterr().out
    assert main(["fsck", str(place.paths.rollouts)]) == 0


def test_what_cannot_be_checked_exits_2(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fsck", str(place.folder / "nothing.jsonl")]) == 2
    assert "[missing-file]" in capsys.readouterr().err
    with place.paths.rollouts.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert main(["fsck", str(place.paths.rollouts), "--dry-run"]) == 2
    assert "[output-locked]" in capsys.readouterr().err
