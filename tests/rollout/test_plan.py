"""Rows become jobs: one for each repeat that is owed, with seeds that depend on nothing but run seed and key."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.rollout.plan import Job, Row, derived_seed, jobs, rollout_key, task_identity
from palestra.store.ledger import DONE, FAILED, RolloutLedger


def planned(
    contents: Iterable[Any], *, repeats: int = 2, seed: int = 0, ledger: RolloutLedger | None = None
) -> list[Job]:
    rows = [Row(content, f"line {number}") for number, content in enumerate(contents)]
    ledger = ledger or RolloutLedger(repeats, 3)
    return list(jobs(rows, ledger, environment_of=lambda row: "e", repeats=repeats, seed=seed))


def test_repeats_stand_next_to_each_other_in_the_order_of_the_rows() -> None:
    found = planned([{"a": 1}, {"a": 2}, {"a": 1}])
    assert [(job.task_index, job.rollout_index) for job in found] == [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (0, 3)]
    assert len({job.key for job in found}) == 6


def test_a_row_is_the_same_task_whatever_the_order_of_its_fields_and_its_bookkeeping() -> None:
    found = planned([{"a": 1, "b": 2}, {"b": 2, "a": 1, "agent_ref": {"name": "x"}, "_ng_task_index": 7}], repeats=1)
    assert [(job.task_index, job.rollout_index) for job in found] == [(0, 0), (0, 1)]


def test_done_rollouts_are_left_out_and_failed_ones_carry_their_attempts() -> None:
    first = planned([{"a": 1}], repeats=3)
    ledger = RolloutLedger(3, 3)
    identity = task_identity("e", first[0].task_hash)
    ledger.note_stored(identity, 0, 0, DONE)
    ledger.note_stored(identity, 0, 1, FAILED)
    again = planned([{"a": 1}], repeats=3, ledger=ledger)
    assert [(job.rollout_index, job.attempt) for job in again] == [(1, 1), (2, 0)]
    assert [(job.key, job.seed) for job in again] == [(job.key, job.seed) for job in first[1:]]


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(0, 100))
def test_seeds_are_in_range_and_differ_between_rollouts_and_runs(seed: int, index: int) -> None:
    seeds = {
        derived_seed(run, rollout_key("e", "h", number)) for run in (seed, seed + 1) for number in (index, index + 1)
    }
    assert len(seeds) == 4
    assert all(0 <= value < 2**31 for value in seeds)


def test_a_row_that_cannot_be_hashed_becomes_a_job_with_a_problem() -> None:
    nested: Any = []
    for _ in range(5000):
        nested = [nested]
    found = planned([{"a": 1}, {"a": nested}, {"a": {1, 2}}, {"a": 2}], repeats=1)
    assert [job.problem is None for job in found] == [True, False, False, True]
    assert found[1].problem is not None
    assert found[1].problem.startswith("line 1 cannot be used: RecursionError")
    assert [job.task_index for job in found] == [0, 1, 2, 3]
