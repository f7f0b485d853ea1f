"""However a run ended, its resume makes what is missing, and only that; another run is refused."""

import fcntl
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.collection.config import ModelChoice, SamplingChoice
from palestra.core.errors import PalestraError
from palestra.store.paths import RunPaths
from tests.collection.workspace import ECHO, Workspace, comparable, keys_of, lines_of, words

FLAKY = '''
from palestra import Environment, Task, Transcript


class FlakyTask(Task):
    number: int


class Flaky(Environment[FlakyTask]):
    """Judges only while the file `mended` is in its folder, or for even numbers."""

    def prompt(self) -> str:
        return "?"

    def verify(self, transcript: Transcript) -> float:
        if self.task.number % 2 and not (self.context.folder / "mended").exists():
            raise ConnectionError("the judge is away")
        return 1.0
'''


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.rows(words(8))
    return made


def kinds(paths: RunPaths) -> tuple[Path, Path, Path]:
    return paths.rollouts, paths.failures, paths.inputs


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_files_cut_at_any_byte_resume_to_the_undisturbed_set(shares: list[float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder))
        flaky = str(place.environment("flaky", FLAKY))
        place.rows({"number": number} for number in (0, 2, 4, 6, 1, 3))
        settled = {"environments": (flaky,), "repeats": 2, "max_failure_rate": 1.0, "seed": 3}
        place.collect(**settled)
        expected = comparable(place.paths.rollouts)
        torn = b""
        for path, share in zip(kinds(place.paths), shares, strict=True):
            content = path.read_bytes()
            cut = int(share * len(content))
            path.write_bytes(content[:cut])
            # A line that only lacks its line end is whole.
            ended = cut + (content[cut : cut + 1] == b"\n")
            part = content[content.rfind(b"\n", 0, ended) + 1 : cut]
            torn += part + b"\n" if part else b""
        report = place.collect(resume=True, **settled)
        assert comparable(place.paths.rollouts) == expected
        assert report.stored == len(expected) == 8
        assert (place.paths.quarantine.read_bytes() if place.paths.quarantine.exists() else b"") == torn
        inputs = keys_of(place.paths.inputs)
        assert len(set(inputs)) == len(inputs)
        again = place.collect(resume=True, **settled)
        assert (again.judged, again.stored) == (0, 8)


def test_a_damaged_line_is_made_again_with_a_remark(place: Workspace) -> None:
    place.collect()
    expected = comparable(place.paths.rollouts)
    lines = place.paths.rollouts.read_bytes().splitlines(keepends=True)
    place.paths.rollouts.write_bytes(b"".join([*lines[:2], b'{"half": ', *lines[2:5], lines[6], lines[7]]))
    report = place.collect(resume=True)
    assert report.judged == 2
    assert comparable(place.paths.rollouts) == expected
    assert any("rollouts.jsonl line 3" in remark and "set aside" in remark for remark in place.remarks)
    assert report.metrics[0]["agent_metrics"]["mean/reward"] == pytest.approx(3 / 8)
    assert place.collect(resume=True).judged == 0


def test_a_finished_run_resumes_to_nothing(place: Workspace) -> None:
    place.collect()
    before = [path.read_bytes() for path in kinds(place.paths)]
    report = place.collect(resume=True)
    assert (report.judged, report.stored, report.exit_code) == (0, 8, 0)
    assert [path.read_bytes() for path in kinds(place.paths)] == before


def test_an_existing_output_is_neither_mixed_nor_deleted(place: Workspace) -> None:
    place.collect()
    before = [path.read_bytes() for path in kinds(place.paths)]
    with pytest.raises(PalestraError, match="already holds a run"):
        place.collect()
    place.paths.rollouts.unlink()
    with pytest.raises(PalestraError, match="already holds a run"):
        place.collect()
    assert [path.read_bytes() for path in kinds(place.paths)[1:]] == before[1:]


def test_a_second_run_on_the_same_output_is_refused_and_changes_nothing(place: Workspace) -> None:
    place.collect(limit=3)
    before = [path.read_bytes() for path in kinds(place.paths)]
    with place.paths.rollouts.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(PalestraError) as caught:
            place.collect(resume=True)
    assert caught.value.code == "output-locked"
    assert [path.read_bytes() for path in kinds(place.paths)] == before
    assert place.collect(resume=True).stored == 8


def test_a_foreign_file_is_refused_and_left_as_it_is(place: Workspace) -> None:
    place.paths.rollouts.parent.mkdir()
    place.paths.rollouts.write_text('{"reward": 1.0, "response": {"output": []}}\n')
    with pytest.raises(PalestraError, match="line 1 was not written by a palestra run"):
        place.collect(resume=True)
    assert place.paths.rollouts.read_text() == '{"reward": 1.0, "response": {"output": []}}\n'
    report = place.collect(fork=True)
    assert (report.paths.rollouts.name, report.stored) == ("rollouts_fork2.jsonl", 8)


OTHER_MODEL = "scripted:other.jsonl"


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"options": {"echo": {"loud": True}}}, "echo.environment.options.loud was false, is true"),
        ({"options": {"*": {"loud": True}}}, "echo.environment.options.loud was false, is true"),
        ({"sampling": {"echo": SamplingChoice(temperature=0.5)}}, "echo.sampling.temperature was null, is 0.5"),
        ({"model": ModelChoice(spec=OTHER_MODEL)}, 'script.jsonl", is "scripted:other.jsonl"'),
        ({"roles": {"judge": ModelChoice(spec="openai:m")}}, 'echo.roles.judge was null, is "openai:m"'),
        ({"seed": 1}, "echo.seed was 0, is 1"),
        ({"max_steps": 7}, "echo.agent.max_steps was 100, is 7"),
    ],
)
def test_a_changed_run_is_refused_with_the_difference(
    place: Workspace, changes: dict[str, Any], difference: str
) -> None:
    loud = "import palestra\n" + ECHO.replace(
        "    def prompt", "    class Options(palestra.Options):\n        loud: bool = False\n\n    def prompt"
    )
    place.environment("echo", loud)
    place.collect(limit=3)
    before = place.paths.rollouts.read_bytes()
    with pytest.raises(PalestraError) as caught:
        place.collect(resume=True, **changes)
    assert difference in str(caught.value)
    assert "--fork" in str(caught.value)
    assert place.paths.rollouts.read_bytes() == before
    place.paths.run.unlink()
    with pytest.raises(PalestraError, match=r"echo: rollouts with fingerprint [0-9a-f]{16}"):
        place.collect(resume=True, **changes)


@pytest.mark.parametrize("change", ["code", "version"])
def test_changed_code_and_versions_are_refused(place: Workspace, change: str) -> None:
    place.collect(limit=3)
    if change == "code":
        place.environment("echo", ECHO + "\n# not the same\n")
    else:
        place.environment("echo", ECHO, version="2")
    with pytest.raises(PalestraError, match=rf"echo.environment.{change} was "):
        place.collect(resume=True)
    place.environment("echo", ECHO)
    assert place.collect(resume=True).stored == 8


def test_forks_stand_beside_the_run_and_each_has_its_own_name(place: Workspace) -> None:
    place.collect()
    first = place.paths.rollouts.read_bytes()
    names: list[str] = []
    for seed in (1, 2):
        names.append(place.collect(fork=True, seed=seed).paths.rollouts.name)
        assert place.remarks == [f"writing to {place.paths.rollouts.with_name(names[-1])}"]
    assert names == ["rollouts_fork2.jsonl", "rollouts_fork3.jsonl"]
    assert place.paths.rollouts.read_bytes() == first
    assert place.collect(resume=True).judged == 0


def test_more_repeats_and_more_tasks_extend_the_run(place: Workspace) -> None:
    place.collect(limit=3)
    assert place.collect(limit=3, repeats=2, resume=True).judged == 3
    place.rows([*words(8), *words(2)])
    report = place.collect(repeats=2, resume=True)
    assert (report.judged, report.stored) == (14, 20)
    other = RunPaths(place.folder / "other.jsonl")
    place.collect(repeats=2, output=other.rollouts)
    for extended, undisturbed in zip(kinds(place.paths), kinds(other), strict=True):
        assert comparable(extended) == comparable(undisturbed)


def test_failed_rollouts_are_tried_again_until_they_are_given_up_and_counted(place: Workspace) -> None:
    settled = {"environments": (str(place.environment("flaky", FLAKY)),), "max_failure_rate": 0.2, "attempts": 3}
    place.rows({"number": number} for number in range(8))
    first = place.collect(**settled)
    assert (first.stored, first.failures, first.exit_code) == (4, {"verifier-error": 4}, 1)
    second = place.collect(**settled, resume=True)
    assert (second.judged, second.failures, second.given_up) == (0, {"verifier-error": 4}, 0)
    assert (
        sorted(line["palestra"]["failure"]["attempt"] for line in lines_of(place.paths.failures)) == [1] * 4 + [2] * 4
    )
    assert place.collect(**settled, resume=True).failures == {"verifier-error": 4}
    last = place.collect(**settled, resume=True)
    assert (last.judged, last.failures, last.given_up) == (0, {}, 4)
    assert last.failure_rate == 0.5
    assert last.exit_code == 1, "that nothing is tried any more does not make the run a good one"
    assert len(lines_of(place.paths.failures)) == 12
    (place.folder / "flaky" / "mended").touch()
    assert place.collect(**{**settled, "attempts": 4}, resume=True).stored == 8
    assert place.collect(**{**settled, "attempts": 4}, resume=True).exit_code == 0
    assert len(set(keys_of(place.paths.inputs))) == len(keys_of(place.paths.inputs)) == 8


def test_failures_of_a_resume_are_weighed_against_the_whole_run(place: Workspace) -> None:
    place.environment("flaky", FLAKY)
    settled = {"environments": (str(place.folder / "flaky"),), "max_failure_rate": 0.2}
    place.rows({"number": number} for number in (0, 2, 4, 6, 8, 10, 12, 14, 16, 1))
    assert place.collect(**settled).exit_code == 0
    report = place.collect(**settled, resume=True)
    assert (report.judged, report.failures) == (0, {"verifier-error": 1})
    assert report.failure_rate == pytest.approx(0.1)
    assert report.exit_code == 0


def test_a_damaged_description_of_the_run_is_told(place: Workspace) -> None:
    place.collect(limit=3)
    for text in ("", "[]", '{"environments": 1}', "{}"):
        place.paths.run.write_text(text)
        with pytest.raises(PalestraError, match=r"rollouts_run\.json is damaged"):
            place.collect(resume=True)
    place.paths.run.unlink()
    assert place.collect(resume=True).stored == 8
    assert json.loads(place.paths.run.read_bytes())["environments"].keys() == {"echo"}


def test_another_environment_may_join_a_run_and_its_description(place: Workspace) -> None:
    place.collect()
    flaky = place.environment("flaky", FLAKY)
    place.rows([{"number": 2}])
    assert place.collect(environments=(str(flaky),), resume=True).stored == 9
    assert json.loads(place.paths.run.read_bytes())["environments"].keys() == {"echo", "flaky"}
