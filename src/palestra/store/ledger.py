"""Which rollouts exist already: a compact table, so that a million tasks fit in a few dozen megabytes."""

from array import array

DONE = 0x80
INPUT_WRITTEN = 0x40
ATTEMPTS = 0x3F
"""The bits of a rollout's byte that count failed attempts."""
FAILED = 0
"""One more failed attempt."""

SPARE_TASKS = 64
"""Places made beyond those that are needed, so that few of a million tasks have to wait for theirs."""

VALUE_BITS = 40
VALUE_MASK = (1 << VALUE_BITS) - 1
TAG_BITS = 64 - VALUE_BITS
TAG_MASK = (1 << 64) - 1 - VALUE_MASK
EMPTY = (1 << 64) - 1


class KeyTable:
    """16-byte identities to integers below 2**40, in at most 32 bytes an entry.

    Open addressing over one array: a slot is 64 bits of the identity and 24 more bits beside the value. Two identities
    that agree in all 88 bits would be taken for one: for a billion tasks the chance is about 2e-9.
    """

    def __init__(self) -> None:
        self.slots = array("Q", [EMPTY] * 128)
        self.count = 0

    def get(self, identity: bytes) -> int | None:
        low = self.slots[self.probe(*halves(identity)) + 1]
        return None if low == EMPTY else low & VALUE_MASK

    def set(self, identity: bytes, value: int) -> None:
        high, tag = halves(identity)
        self.put(self.probe(high, tag), high, tag, value)

    def setdefault(self, identity: bytes, value: int) -> int:
        """The value of an identity; `value`, from now on, if it had none."""
        high, tag = halves(identity)
        slot = self.probe(high, tag)
        low = self.slots[slot + 1]
        if low != EMPTY:
            return low & VALUE_MASK
        self.put(slot, high, tag, value)
        return value

    def put(self, slot: int, high: int, tag: int, value: int) -> None:
        assert 0 <= value < VALUE_MASK
        slots = self.slots
        if slots[slot + 1] == EMPTY:
            self.count += 1
        slots[slot], slots[slot + 1] = high, tag | value
        if self.count * 4 > len(slots) // 2 * 3:
            self.grow()

    def probe(self, high: int, tag: int) -> int:
        """The slot that holds an identity, or the empty one where it belongs."""
        slots, size = self.slots, len(self.slots)
        slot = high % (size // 2) * 2
        while (low := slots[slot + 1]) != EMPTY and (slots[slot] != high or low & TAG_MASK != tag):
            slot = (slot + 2) % size
        return slot

    def grow(self) -> None:
        old = self.slots
        # Half again, not double: the table stays at least half full.
        slots = self.slots = array("Q", [EMPTY]) * (len(old) // 2 * 3 // 2 * 2)
        size = len(slots)
        for place in range(0, len(old), 2):
            low = old[place + 1]
            if low != EMPTY:
                # They all differ: the first empty slot is the one.
                high = old[place]
                slot = high % (size // 2) * 2
                while slots[slot + 1] != EMPTY:
                    slot = (slot + 2) % size
                slots[slot], slots[slot + 1] = high, low


def halves(identity: bytes) -> tuple[int, int]:
    both = int.from_bytes(identity[:11])
    return both >> TAG_BITS, both << VALUE_BITS & TAG_MASK


class RolloutLedger:
    """Tasks by identity, and a byte for each of their rollouts: done, input written, failed attempts.

    `repeats` is how many rollouts of a task have their byte in one array; further ones (a row that occurs several
    times) are kept apart.
    """

    def __init__(self, repeats: int, max_attempts: int) -> None:
        self.repeats = repeats
        self.max_attempts = max_attempts
        self.table = KeyTable()
        self.known = bytearray()
        """1 where a task has this index."""
        self.states = bytearray()
        self.occurrences = array("I")
        self.beyond: dict[tuple[int, int], int] = {}
        self.next_index = 0
        self.given_up = 0
        """Rollouts that failed so often that they are not owed any more."""

    def claim(self, identity: bytes, repeats: int) -> tuple[int, list[tuple[int, int]]]:
        """See `palestra.rollout.plan.Ledger`."""
        task_index = self.table.setdefault(identity, self.free_index())
        self.make_room(task_index)
        first = self.occurrences[task_index]
        self.occurrences[task_index] = first + repeats
        owed: list[tuple[int, int]] = []
        for rollout_index in range(first, first + repeats):
            state = self.state(task_index, rollout_index)
            if state & DONE:
                continue
            if state & ATTEMPTS >= self.max_attempts:
                self.given_up += 1
            else:
                owed.append((rollout_index, state & ATTEMPTS))
        return task_index, owed

    def free_index(self) -> int:
        """The lowest index no stored task has: an interrupted run gets the indices of an undisturbed one."""
        index, known = self.next_index, self.known
        while index < len(known) and known[index]:
            index += 1
        self.next_index = index
        return index

    def make_room(self, task_index: int) -> None:
        """Have a place for what is noted of a task."""
        missing = task_index + 1 - len(self.known)
        if missing > 0:
            missing += SPARE_TASKS
            self.known.extend(bytes(missing))
            self.states.extend(bytes(missing * self.repeats))
            self.occurrences.extend([0] * missing)
        self.known[task_index] = 1

    def note_stored(self, identity: bytes, task_index: int, rollout_index: int, flag: int) -> bool:
        """Take a stored line into account: DONE, INPUT_WRITTEN or FAILED.

        False if the line repeats one that was noted. What a task is, is said by its identity: a line whose index
        belongs to another task (files that were joined) still counts, under the next free index.
        """
        index = self.table.get(identity)
        if index is not None:
            task_index = index
        else:
            if task_index < len(self.known) and self.known[task_index]:
                task_index = self.known.rfind(1) + 1
            self.table.set(identity, task_index)
            self.make_room(task_index)
        state = self.state(task_index, rollout_index)
        if flag == FAILED:
            state = state & ~ATTEMPTS | min((state & ATTEMPTS) + 1, ATTEMPTS)
        elif state & flag:
            return False
        else:
            state |= flag
        self.set_state(task_index, rollout_index, state)
        return True

    def state(self, task_index: int, rollout_index: int) -> int:
        if rollout_index < self.repeats:
            return self.states[task_index * self.repeats + rollout_index]
        return self.beyond.get((task_index, rollout_index), 0)

    def set_state(self, task_index: int, rollout_index: int, state: int) -> None:
        if rollout_index < self.repeats:
            self.states[task_index * self.repeats + rollout_index] = state
        else:
            self.beyond[(task_index, rollout_index)] = state
