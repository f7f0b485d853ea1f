"""The table of what is done behaves as a dict would, in at most 64 bytes a task."""

import sys
from collections import Counter
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from palestra.store.ledger import DONE, FAILED, INPUT_WRITTEN, KeyTable, RolloutLedger

REPEATS = 4
ATTEMPTS = 3
names = st.integers(0, 400)


def identity(name: object) -> bytes:
    return blake2b(str(name).encode(), digest_size=16).digest()


class TableMachine(RuleBasedStateMachine):
    """KeyTable against a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.table = KeyTable()
        self.model: dict[bytes, int] = {}

    @rule(names=st.lists(names, max_size=60), value=st.integers(0, 2**40 - 2))
    def set_some(self, names: list[int], value: int) -> None:
        for name in names:
            self.table.set(identity(name), value)
            self.model[identity(name)] = value

    @rule(name=names)
    def get(self, name: int) -> None:
        assert self.table.get(identity(name)) == self.model.get(identity(name))

    @invariant()
    def counts_each_identity_once(self) -> None:
        assert self.table.count == len(self.model)


class LedgerMachine(RuleBasedStateMachine):
    """RolloutLedger against dicts: what is stored is not owed, everything else is, in order and with its attempts."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = RolloutLedger(REPEATS, ATTEMPTS)
        self.indices: dict[int, int] = {}
        self.done: set[tuple[int, int]] = set()
        self.failed: Counter[tuple[int, int]] = Counter()
        self.written: set[tuple[int, int]] = set()
        self.claimed: Counter[int] = Counter()
        self.given_up = 0

    def index_of(self, name: int, wished: int) -> None:
        if name not in self.indices:
            taken = set(self.indices.values())
            self.indices[name] = wished if wished not in taken else max(taken) + 1

    @rule(name=names, wished=st.integers(0, 60), rollout=st.integers(0, 9), flag=st.sampled_from((DONE, INPUT_WRITTEN)))
    def note(self, name: int, wished: int, rollout: int, flag: int) -> None:
        known = self.done if flag == DONE else self.written
        self.index_of(name, wished)
        assert self.ledger.note_stored(identity(name), wished, rollout, flag) == ((name, rollout) not in known)
        known.add((name, rollout))

    @rule(name=names, wished=st.integers(0, 60), rollout=st.integers(0, 9), times=st.integers(1, 70))
    def fail(self, name: int, wished: int, rollout: int, times: int) -> None:
        self.index_of(name, wished)
        for _ in range(times):
            assert self.ledger.note_stored(identity(name), wished, rollout, FAILED)
        self.failed[name, rollout] += times

    @rule(name=names, repeats=st.integers(1, 6))
    def claim(self, name: int, repeats: int) -> None:
        taken = set(self.indices.values())
        self.indices.setdefault(name, next(index for index in range(len(taken) + 1) if index not in taken))
        first, self.claimed[name] = self.claimed[name], self.claimed[name] + repeats
        wanted = [rollout for rollout in range(first, first + repeats) if (name, rollout) not in self.done]
        owed = [(rollout, self.failed[name, rollout]) for rollout in wanted if self.failed[name, rollout] < ATTEMPTS]
        self.given_up += len(wanted) - len(owed)
        assert self.ledger.claim(identity(name), repeats) == (self.indices[name], owed)
        assert self.ledger.given_up == self.given_up

    @invariant()
    def inputs_that_were_written_are_known(self) -> None:
        for name, rollout in self.written:
            assert self.ledger.state(self.indices[name], rollout) & INPUT_WRITTEN


TableMachine.TestCase.settings = LedgerMachine.TestCase.settings = settings(max_examples=30, deadline=None)
TestTable = TableMachine.TestCase
TestLedger = LedgerMachine.TestCase


@pytest.mark.slow
def test_two_hundred_thousand_tasks_of_four_repeats_take_at_most_64_bytes_each() -> None:
    tasks = 200_000
    ledger = RolloutLedger(REPEATS, ATTEMPTS)
    largest = 0
    for number in range(tasks):
        ledger.claim(identity(number), REPEATS)
        if number % 1000 == 0 or number == tasks - 1:
            largest = max(largest, size(ledger) // (number + 1)) if number >= 1000 else 0
    assert size(ledger) / tasks <= 64
    assert largest <= 64
    assert not ledger.beyond


def size(ledger: RolloutLedger) -> int:
    return sum(map(sys.getsizeof, (ledger.table.slots, ledger.known, ledger.states, ledger.occurrences)))


def test_rows_that_occur_again_share_their_task_and_owe_further_rollouts() -> None:
    ledger = RolloutLedger(2, ATTEMPTS)
    assert ledger.claim(identity("a"), 2) == (0, [(0, 0), (1, 0)])
    assert ledger.claim(identity("b"), 2) == (1, [(0, 0), (1, 0)])
    assert ledger.claim(identity("a"), 2) == (0, [(2, 0), (3, 0)])


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 39), st.integers(0, 1)), max_size=60),
    st.randoms(use_true_random=False),
    st.integers(1, 40),
)
def test_an_interrupted_run_gives_the_indices_of_an_undisturbed_one(rows, stored, random, first_part) -> None:
    undisturbed = play(RolloutLedger(2, ATTEMPTS), rows)
    resumed = RolloutLedger(2, ATTEMPTS)
    done = {(identity(rows[place % len(rows)]), rollout) for place, rollout in stored if place % len(rows) < first_part}
    for name, rollout in sorted(done):
        resumed.note_stored(name, undisturbed[name][0], rollout, DONE)
    again = play(resumed, rows)
    assert {name: index for name, (index, _) in again.items()} == {
        name: index for name, (index, _) in undisturbed.items()
    }
    for name, (_, owed) in again.items():
        assert owed == [rollout for rollout in undisturbed[name][1] if (name, rollout) not in done]

    reordered = RolloutLedger(2, ATTEMPTS)
    for name, rollout in sorted(done):
        reordered.note_stored(name, undisturbed[name][0], rollout, DONE)
    extended = [*rows, *range(100, 110)]
    random.shuffle(extended)
    after = play(reordered, extended)
    indices = [index for index, _ in after.values()]
    assert sorted(indices) == list(range(len(indices))), "each task has an index of its own, without gaps"
    assert all(after[name][0] == undisturbed[name][0] for name, _ in done), "stored tasks keep theirs"


def play(ledger: RolloutLedger, rows: list[int]) -> dict[bytes, tuple[int, list[int]]]:
    found: dict[bytes, tuple[int, list[int]]] = {}
    for row in rows:
        index, owed = ledger.claim(identity(row), 2)
        known = found.setdefault(identity(row), (index, []))
        assert known[0] == index
        known[1].extend(rollout for rollout, _ in owed)
    return found
