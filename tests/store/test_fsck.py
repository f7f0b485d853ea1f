"""Every damaged byte is found, nothing is deleted, and what was set aside is owed again."""

import fcntl
import json
import os
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from palestra.core.errors import PalestraError
from palestra.rollout.plan import task_identity
from palestra.store import scan
from palestra.store.fsck import Checked, fsck
from palestra.store.ledger import RolloutLedger
from palestra.store.paths import RunPaths
from palestra.store.resume import resume
from palestra.wire.encoding import encode_with_checksum

TASKS, REPEATS = 4, 2
FLIPS = 1000
PAIRS = [(task, repeat) for task in range(TASKS) for repeat in range(REPEATS)]


def identity(task: int) -> dict[str, Any]:
    return {"key": f"{task:032x}", "environment": "e", "task_hash": f"{task:032x}"}


def rollout(task: int, repeat: int, **fields: Any) -> bytes:
    """As Palestra lays it out, or for odd tasks in another order, as a tool may have rewritten it."""
    own = {"version": 1, **identity(task), "task": {"n": task}, "fingerprint": "f", "started_at": 1.5}
    row = {"reward": 0.5, "text": "é " * 20, "_ng_task_index": task, "_ng_rollout_index": repeat, **fields}
    return encode_with_checksum({**row, "palestra": own if task % 2 == 0 else dict(sorted(own.items()))}) + b"\n"


def failure(task: int, repeat: int, attempt: int) -> bytes:
    own = {"version": 1, **identity(task), "fingerprint": "f", "started_at": 1.5, "failure": {"attempt": attempt}}
    row = {"n": task, "_ng_task_index": task, "_ng_rollout_index": repeat, "_ng_attempt_index": attempt - 1}
    return encode_with_checksum({**row, "_ng_failure_class": "limit", "palestra": own}) + b"\n"


def materialized(task: int, repeat: int) -> bytes:
    row = {"n": task, "_ng_task_index": task, "_ng_rollout_index": repeat}
    return encode_with_checksum({**row, "palestra": identity(task)}) + b"\n"


def write_run(folder: Path) -> RunPaths:
    paths = RunPaths(folder / "r.jsonl")
    paths.rollouts.write_bytes(b"".join(rollout(*pair) for pair in PAIRS))
    failures = [failure(task, 9, attempt) for task in range(TASKS) for attempt in (1, 2)]
    paths.failures.write_bytes(b"".join(failures))
    paths.inputs.write_bytes(b"".join(materialized(*pair) for pair in PAIRS))
    return paths


def files_of(paths: RunPaths) -> tuple[Path, Path, Path]:
    return paths.rollouts, paths.failures, paths.inputs


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return write_run(tmp_path)


def lines_in(*files: Path) -> Counter[bytes]:
    """All lines that are not blank."""
    lines = (line.strip(b" ") for path in files if path.exists() for line in path.read_bytes().split(b"\n"))
    return Counter(line for line in lines if line)


def findings(checked: Checked) -> dict[str, list[tuple[int, str]]]:
    return {
        state.path.name: [(damage.number, damage.reason) for damage in (*state.damaged, *state.duplicates)]
        for state in checked.files
        if not state.is_sound
    }


def test_a_sound_run_is_sound_and_left_as_it_is(paths: RunPaths) -> None:
    before = [path.read_bytes() for path in files_of(paths)]
    checked = fsck(paths.rollouts)
    assert checked.is_sound
    assert [(state.lines, state.without_checksum) for state in checked.files] == [(8, 0), (8, 0), (8, 0)]
    assert [path.read_bytes() for path in files_of(paths)] == before
    assert not paths.quarantine.exists()


@pytest.mark.slow
def test_a_thousand_flipped_bits_are_all_found_where_they_are(paths: RunPaths) -> None:
    random = Random(0)
    whole = {path: path.read_bytes() for path in files_of(paths)}
    for _ in range(FLIPS):
        path, place, bit = random.choice(list(whole)), 0, 1 << random.randrange(8)
        place = random.randrange(len(whole[path]))
        content = bytearray(whole[path])
        content[place] ^= bit
        path.write_bytes(content)
        found = [state for state in fsck(paths.rollouts, repairs=False).files if not state.is_sound]
        assert [state.path for state in found] == [path], (path.name, place, bit)
        spans = [
            range(damage.offset, damage.offset + damage.length)
            for damage in (*found[0].damaged, *([found[0].torn] if found[0].torn else []))
        ]
        assert any(place in span for span in spans)
        path.write_bytes(whole[path])


@settings(deadline=None, max_examples=60)
@example([(0, 0, 113)])
@example([(0, 22, 1), (0, 306, 1), (0, 326, 1)])
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=12))
def test_any_damage_is_found_set_aside_once_and_played_again(damage: list[tuple[int, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = write_run(Path(folder))
        whole = {path: path.read_bytes() for path in files_of(paths)}
        for which, place, flip in damage:
            path = files_of(paths)[which]
            content = bytearray(path.read_bytes())
            content[place % len(content)] ^= flip
            path.write_bytes(content)
        changed = {path for path, content in whole.items() if path.read_bytes() != content}
        before = lines_in(*files_of(paths))
        found = {state.path for state in fsck(paths.rollouts).files if not state.is_sound}
        assert found == changed
        assert lines_in(*files_of(paths), paths.quarantine) == before, "nothing was deleted"
        assert fsck(paths.rollouts).is_sound
        for path in changed:
            # As readers do that know nothing of repairs: every line is a JSON object.
            assert all(isinstance(json.loads(line), dict) for line in path.read_bytes().splitlines())
        ledger = RolloutLedger(REPEATS, 3)
        assert resume(paths, ledger).problems == []
        kept = lines_in(paths.rollouts)
        assert not kept - lines_of(rollout(*pair) for pair in PAIRS)
        for task in range(TASKS):
            _, owed = ledger.claim(task_identity("e", f"{task:032x}"), REPEATS)
            there = [repeat for repeat in range(REPEATS) if rollout(task, repeat).rstrip() in kept]
            assert sorted([*there, *(repeat for repeat, _ in owed)]) == list(range(REPEATS))


def lines_of(content: Iterator[bytes]) -> Counter[bytes]:
    return Counter(line.rstrip() for line in content)


def test_a_torn_tail_moves_to_the_quarantine_and_a_dry_run_moves_nothing(paths: RunPaths) -> None:
    torn = rollout(9, 0)[:50]
    with paths.rollouts.open("ab") as file:
        file.write(torn)
    before = paths.rollouts.read_bytes()
    checked = fsck(paths.rollouts, repairs=False)
    assert checked.files[0].findings() == ["has a half-written last line of 50 bytes"]
    assert paths.rollouts.read_bytes() == before
    assert not paths.quarantine.exists()
    assert not fsck(paths.rollouts).is_sound
    assert paths.rollouts.read_bytes() == before[:-50]
    assert paths.quarantine.read_bytes() == torn + b"\n"


def test_repeated_lines_are_set_aside_where_a_repeat_is_none_they_are_not(paths: RunPaths) -> None:
    for path in files_of(paths):
        path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[2])
    # The same rollout with another reward is a repeat too; another failure of one rollout is not.
    with paths.rollouts.open("ab") as file:
        file.write(rollout(0, 0, reward=0.25) + rollout(8, 0))
    with paths.failures.open("ab") as file:
        file.write(failure(0, 9, 3))
    assert findings(fsck(paths.rollouts)) == {
        "r.jsonl": [(9, "repeats rollout 0 of task 1"), (10, "repeats rollout 0 of task 0")],
        "r_failures.jsonl": [(9, "repeats rollout 9 of task 1")],
        "r_materialized_inputs.jsonl": [(9, "repeats rollout 0 of task 1")],
    }
    assert [state.lines for state in fsck(paths.rollouts).files] == [9, 9, 8]


def test_rollouts_of_other_producers_need_no_checksum_and_are_no_repeats(tmp_path: Path) -> None:
    path = tmp_path / "others.jsonl"
    lines = [
        '{"reward": 1.0, "response": {}}', '{"reward": 1.0, "response": {}}', "",
        '{"reward": 1, "_ng_task_index": 0, "_ng_rollout_index": 0}',
        '{"reward": 0, "_ng_task_index": 0, "_ng_rollout_index": 0}',
    ]  # fmt: skip
    path.write_text("\n".join(lines))
    checked = fsck(path)
    assert checked.is_sound, "a last line without a line end is legal"
    assert (checked.files[0].lines, checked.files[0].without_checksum, len(checked.files)) == (4, 4, 1)
    assert path.read_text() == "\n".join(lines)
    path.write_text("\n".join([*lines, lines[-1], "[]", "nothing", ""]))
    reasons = [reason.split(" (")[0] for _, reason in findings(fsck(path))["others.jsonl"]]
    assert reasons == ["is no object", "is not JSON", "repeats rollout 0 of task 0"]
    assert path.with_name("others_quarantine.jsonl").read_text() == "\n".join([lines[-1], "[]", "nothing", ""])


@pytest.mark.parametrize("repairs", [True, False])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_files_that_a_run_is_writing_are_refused(paths: RunPaths, repairs: bool, which: int) -> None:
    with paths.rollouts.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(PalestraError) as caught:
            fsck(files_of(paths)[which], repairs=repairs)
    assert caught.value.code == "output-locked"
    assert fsck(files_of(paths)[which], repairs=repairs).is_sound


def test_the_file_of_failures_stands_for_its_run_and_alone_if_there_is_none(paths: RunPaths) -> None:
    assert len(fsck(paths.failures).files) == len(fsck(paths.inputs).files) == 3
    paths.rollouts.unlink()
    assert [state.path for state in fsck(paths.failures).files] == [paths.failures]


@pytest.mark.parametrize(
    ("name", "code"), [("missing.jsonl", "missing-file"), (".", "missing-file"), ("r_quarantine.jsonl", "usage")]
)
def test_what_cannot_be_checked_is_told(paths: RunPaths, name: str, code: str) -> None:
    with pytest.raises(PalestraError) as caught:
        fsck(paths.rollouts.parent / name)
    assert caught.value.code == code


def test_a_repair_that_was_cut_short_is_done_again(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    content = paths.rollouts.read_bytes()
    damaged = content.replace(b'"reward":0.5', b'"reward":0.7', 1)
    paths.rollouts.write_bytes(damaged)
    paths.quarantine.write_bytes(b'{"half')
    with monkeypatch.context() as patch:
        patch.setattr("palestra.store.repair.blank", failing)
        with pytest.raises(PalestraError, match="the disk is gone"):
            fsck(paths.rollouts)
    assert paths.rollouts.read_bytes() == damaged
    fsck(paths.rollouts)
    line = damaged.splitlines(keepends=True)[0]
    assert paths.quarantine.read_bytes() == b'{"half\n' + line + line
    assert fsck(paths.rollouts).is_sound


def failing(*arguments: Any) -> None:
    raise OSError(5, "the disk is gone")


def test_a_line_without_end_is_not_read_into_memory(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "LONGEST_LINE_BYTES", 2000)
    monkeypatch.setattr("palestra.store.repair.COPY_BYTES", 700)
    content = paths.rollouts.read_bytes()
    paths.rollouts.write_bytes(content + b"x" * 5000 + b"\n" + rollout(8, 0) + b"\0" * 9000)
    assert findings(fsck(paths.rollouts)) == {"r.jsonl": [(9, "is longer than 2000 bytes")]}
    assert paths.rollouts.read_bytes() == content[:-1] + b" " * 5001 + b"\n" + rollout(8, 0)
    assert paths.quarantine.read_bytes() == b"x" * 5000 + b"\n" + b"\0" * 9000 + b"\n"


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"".join(rollout(task, 0, text="x" * 3000) for task in range(3000)))
    tracemalloc.start()
    fsck(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 9_000_000
    # Other threads of the test run allocate too.
    assert peak < 3000 * 64 + 3_000_000


def test_a_damaged_line_is_told_with_its_place_in_json(paths: RunPaths) -> None:
    lines = paths.rollouts.read_bytes().splitlines(keepends=True)
    paths.rollouts.write_bytes(b"".join([*lines[:3], b"{broken\n", *lines[4:], b'{"torn']))
    told = json.loads(json.dumps(fsck(paths.rollouts, repairs=False).to_json()))
    assert told["sound"] is False
    first = told["files"][0]
    assert (first["path"], first["lines"], first["torn_tail_bytes"]) == (str(paths.rollouts), 8, 6)
    (damaged,) = first["damaged"]
    assert (damaged["line"], damaged["offset"]) == (4, sum(map(len, lines[:3])))
    assert damaged["reason"].startswith("is not JSON")
    assert first["duplicates"] == []


@pytest.mark.parametrize(
    "content", ["Dear diary,\nnothing happened.\n", '{\n  "created_at": 1,\n  "palestra": "0"\n}\n', "[]\n"]
)
def test_what_is_no_file_of_rollouts_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(PalestraError, match="no file of rollouts; nothing was changed"):
        fsck(path)
    assert path.read_text() == content
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "nothing"):
        with pytest.raises(PalestraError, match="no file"):
            fsck(path)
