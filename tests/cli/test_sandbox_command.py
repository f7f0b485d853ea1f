"""`palestra sandbox check`, and what `palestra doctor` says of the boundary."""

import json
from pathlib import Path

import pytest

from palestra.cli import doctor
from palestra.cli.doctor import BoundaryFinding, examine_boundary
from palestra.cli.main import main
from palestra.sandbox.canaries import Canary
from palestra.sandbox.open import Boundary

OUT = {"id": "out", "category": "escape", "code": "open('{OUT}/x', 'w')", "detect": {"path_absent": "{OUT}/x"}}
QUIET = {"id": "quiet", "code": "print('nothing')", "detect": {"path_absent": "{OUT}/x", "no_survivor": True}}
HELD = (Canary("honest program", True), Canary("write outside", True))
BROKEN = (Canary("honest program", True), Canary("write outside", False, "it was there"))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (OUT, QUIET)))
    return path


@pytest.mark.slow
def test_the_strongest_boundary_stops_all(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "check", str(corpus), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.pop("backend") in ("namespaces", "landlock")
    assert told == {"n": 2, "stopped": 2, "failed": []}


@pytest.mark.slow
def test_the_check_can_fail(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "check", str(corpus), "--json", "--backend", "none"]) == 1
    assert json.loads(capsys.readouterr().out) == {"n": 2, "stopped": 1, "failed": ["out"], "backend": "none"}
    assert main(["sandbox", "check", str(corpus), "--backend", "weak"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "not stopped  out: it made a file on the host\nweak: 1 of 2 stopped\n"
    assert printed.err == "NOT stopped  out\nstopped  quiet\n"


@pytest.mark.parametrize(
    ("content", "arguments", "told"),
    [
        ("", ["--backend", "none"], "holds no program"),
        ('{"id": "x"}', ["--backend", "none"], "code: Field required"),
        ("", ["--backend", "nothing"], "invalid choice: 'nothing'"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, arguments: list[str], told: str
) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(content)
    assert main(["sandbox", "check", str(path), *arguments]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.slow
def test_doctor_names_the_boundary_and_what_was_tried_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--json"])
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    told = findings["sandbox"]
    assert told["works"]
    assert told["backend"] in ("namespaces", "landlock")
    assert len(told["canaries"]) >= 6
    assert all(canary["passed"] for canary in told["canaries"])
    assert told["not_stopped"]
    # Every finding can be read in the same way.
    assert all({"name", "works", "detail", "fix"} <= set(finding) for finding in findings.values())


def test_doctor_tells_a_weaker_boundary_and_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    second = examine_boundary([Boundary("namespaces", BROKEN), Boundary("landlock", HELD)])
    assert (second.works, second.backend) == (True, "landlock")
    assert second.detail == "landlock; no namespaces: write outside: it was there"
    third = examine_boundary([Boundary("namespaces", BROKEN), Boundary("landlock", BROKEN), Boundary("weak", BROKEN)])
    assert (third.works, third.backend) == (False, "weak")
    assert third.detail.endswith("Only by name: --sandbox weak")
    monkeypatch.setattr(doctor, "examine", lambda: [third])
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "NOT as it must be: write outside" in printed
    assert "not stopped: the network" in printed
    assert isinstance(third, BoundaryFinding)
