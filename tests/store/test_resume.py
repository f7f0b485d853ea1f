"""Whatever a killed process left, reading it back finds every whole line, keeps every torn byte and repeats nothing."""

import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from palestra.core.errors import PalestraError
from palestra.rollout.plan import task_identity
from palestra.store.ledger import RolloutLedger
from palestra.store.paths import RunPaths
from palestra.store.resume import resume
from palestra.wire.encoding import WHITESPACE, encode_with_checksum

TASKS, REPEATS = 5, 2


def rollout(task: int, repeat: int, **fields: Any) -> bytes:
    own = {"environment": "e", "task_hash": f"h{task}", "fingerprint": "f"}
    row = {"reward": 0.5, "_ng_task_index": task, "_ng_rollout_index": repeat, **fields, "palestra": own}
    return encode_with_checksum(row) + b"\n"


def all_rollouts() -> list[bytes]:
    return [rollout(task, repeat) for task in range(TASKS) for repeat in range(REPEATS)]


def owed(ledger: RolloutLedger) -> list[tuple[int, int]]:
    """The (task, repeat) pairs that are still to be made."""
    found: list[tuple[int, int]] = []
    for task in range(TASKS):
        _, left = ledger.claim(task_identity("e", f"h{task}"), REPEATS)
        found.extend((task, repeat) for repeat, _ in left)
    return found


def read_back(paths: RunPaths) -> tuple[RolloutLedger, list[str]]:
    ledger = RolloutLedger(REPEATS, 3)
    return ledger, resume(paths, ledger).problems


@settings(deadline=None)
@given(st.integers(0, sum(map(len, all_rollouts()))))
def test_a_file_cut_at_any_byte_owes_exactly_what_is_not_whole(cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = RunPaths(Path(folder) / "r.jsonl")
        content = b"".join(all_rollouts())
        paths.rollouts.write_bytes(content[:cut])
        ledger, problems = read_back(paths)
        # A line that only lacks its line end is whole; it is given one.
        ended = cut + (content[cut : cut + 1] == b"\n" and cut > 0)
        whole = content[:ended].count(b"\n")
        pairs = [(task, repeat) for task in range(TASKS) for repeat in range(REPEATS)]
        assert owed(ledger) == pairs[whole:]
        kept = content[: content.rfind(b"\n", 0, ended) + 1]
        assert paths.rollouts.read_bytes() == kept
        torn = content[len(kept) : cut]
        assert bool(problems) == bool(torn)
        assert (paths.quarantine.read_bytes() == torn + b"\n") if torn else not paths.quarantine.exists()


@settings(max_examples=100, deadline=None)
@example(sum(map(len, all_rollouts())) - 1, 42)
@given(st.integers(0, sum(map(len, all_rollouts())) - 1), st.integers(1, 255))
def test_a_byte_that_rotted_anywhere_is_found_and_its_rollout_owed_again(place: int, flip: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = RunPaths(Path(folder) / "r.jsonl")
        content = bytearray(b"".join(all_rollouts()))
        content[place] ^= flip
        paths.rollouts.write_bytes(content)
        ledger, problems = read_back(paths)
        left = owed(ledger)
        if bytes(content).rstrip(WHITESPACE) == b"".join(all_rollouts()).rstrip(WHITESPACE):
            # The last line end became a blank: nothing is lost.
            assert left == []
            return
        assert problems
        assert 1 <= len(left) <= 2, "the line, and the next if the newline between them rotted"
        kept = [line.strip() for line in paths.rollouts.read_bytes().splitlines()]
        assert len(kept) == TASKS * REPEATS - len(left)
        assert set(kept) <= {line.rstrip() for line in all_rollouts()}
        again, problems = read_back(paths)
        assert (owed(again), problems) == (left, [])


def test_a_damaged_line_moves_to_the_quarantine_and_every_other_stays_where_it_is(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "r.jsonl")
    lines = all_rollouts()
    changed = lines[3].replace(b'"reward":0.5', b'"reward":1.5')
    paths.rollouts.write_bytes(b"".join([*lines[:3], changed, *lines[4:]]))
    ledger, problems = read_back(paths)
    assert problems == ["r.jsonl line 4 does not match its checksum: set aside in r_quarantine.jsonl"]
    assert owed(ledger) == [(1, 1)]
    assert paths.quarantine.read_bytes() == changed
    # No line of blanks: there are readers that do not expect one.
    blanks = b" " * len(changed) + b"\n"
    assert paths.rollouts.read_bytes() == b"".join([*lines[:2], lines[2].rstrip() + blanks, *lines[4:]])
    again, problems = read_back(paths)
    assert (owed(again), problems) == ([(1, 1)], [])


def test_a_rollout_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "r.jsonl")
    paths.rollouts.write_bytes(rollout(0, 0) + rollout(0, 1) + rollout(0, 0))
    ledger = RolloutLedger(REPEATS, 3)
    resumed = resume(paths, ledger)
    assert resumed.rollouts == 2
    assert resumed.problems == ["r.jsonl line 3 repeats rollout 0 of task 0: set aside in r_quarantine.jsonl"]
    assert paths.quarantine.read_bytes() == rollout(0, 0)
    assert paths.rollouts.read_bytes().split() == [rollout(0, 0).rstrip(), rollout(0, 1).rstrip()]


def test_lines_of_two_tasks_with_one_index_both_count(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "r.jsonl")
    paths.rollouts.write_bytes(rollout(0, 0) + rollout(1, 0, _ng_task_index=0))
    ledger, problems = read_back(paths)
    assert problems == []
    assert owed(ledger) == [(0, 1), (1, 1), *((task, repeat) for task in (2, 3, 4) for repeat in (0, 1))]


@pytest.mark.parametrize(
    "line",
    [
        b'{"reward": 1.0, "response": {}}',
        b'{"reward": 1.0, "palestra": "of another kind"}',
        b'{"reward": 1.0, "palestra": {"task_hash": "h", "environment": "e"}}',
        b'{"palestra":{"task_hash":"h","environment":"e"},"_ng_task_index":0,"_ng_rollout_index":0}',
        b'{"reward":1,"palestra":{"task_hash":"h","environment":"e"},"_ng_task_index":-1,"_ng_rollout_index":0}',
        b'{"reward":1,"palestra":{"task_hash":"h"},"_ng_task_index":0,"_ng_rollout_index":0}',
    ],
)
def test_a_file_of_another_producer_is_refused_and_left_as_it_is(tmp_path: Path, line: bytes) -> None:
    paths = RunPaths(tmp_path / "r.jsonl")
    paths.rollouts.write_bytes(rollout(0, 0) + line + b"\n")
    with pytest.raises(PalestraError, match="line 2 was not written by a palestra run"):
        read_back(paths)
    assert paths.rollouts.read_bytes() == rollout(0, 0) + line + b"\n"


@pytest.mark.parametrize("line", [b"nothing", b"[]", b'{"a": 1', b"\xff\xfe", b"\0" * 300])
def test_damaged_lines_beside_the_rollouts_are_skipped_with_a_remark(tmp_path: Path, line: bytes) -> None:
    paths = RunPaths(tmp_path / "r.jsonl")
    paths.failures.write_bytes(line + b"\n" + rollout(0, 0) + b'{"foreign": 1}\n')
    paths.inputs.write_bytes(rollout(0, 0) + line + b"\n")
    ledger = RolloutLedger(REPEATS, 3)
    resumed = resume(paths, ledger)
    assert [problem.split(" is ")[0] for problem in resumed.problems] == [
        "r_failures.jsonl line 1",
        "r_materialized_inputs.jsonl line 2",
    ]
    assert resumed.failures == 1
    assert ledger.claim(task_identity("e", "h0"), 1) == (0, [(0, 1)])


def test_reading_back_takes_no_memory_but_the_ledger(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "r.jsonl")
    paths.rollouts.write_bytes(b"".join(rollout(task, 0, text="x" * 3000) for task in range(3_000)))
    tracemalloc.start()
    resume(paths, RolloutLedger(1, 3))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000 * 64 + 1_000_000
