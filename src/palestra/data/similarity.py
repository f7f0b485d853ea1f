"""How alike texts are: MinHash signatures of their shingles, and which of many are near duplicates.

A shingle is what stands in the 24 bytes from the start of a word on, in a text without case and with single blanks. The
share of equal entries of two signatures estimates the Jaccard similarity of their sets of shingles (Broder 1997); rows
are compared only if one of 16 bands of 4 entries is equal, which finds pairs of similarity 0.8 with probability 0.9998.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue] - it is in its compiled part

from palestra.data.texts import Part, text_of_part

Signatures: TypeAlias = "np.ndarray[Any, np.dtype[np.uint32]]"
"""One row of `ENTRIES` numbers for each text."""
Integers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Pairs: TypeAlias = "tuple[Integers, Integers]"

ENTRIES = 64
BANDS = 16
SHINGLE_BYTES = 24
PADDING = b" " * SHINGLE_BYTES
SEED = 20011
ROWS_OF_A_CALL = 2000
READ_BYTES = 1 << 18
"""Rows that follow each other are read together up to this size."""
MOST_BETWEEN = 4096
"""Bytes between rows that are read as well rather than skipped."""
PAIRS_AT_ONCE = 20_000
LONGEST_TEXT = 200_000
"""Characters of a text that count; what is longer is compared by its beginning."""
BLANK = 32
MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
"""Odd 64-bit constants, from the golden ratio and from xxHash's primes."""


def normalised(text: str) -> bytes:
    """Without case, with single blanks between words."""
    return " ".join(text[:LONGEST_TEXT].casefold().split()).encode("utf-8", "replace")


def shingles(texts: Sequence[bytes]) -> "tuple[np.ndarray[Any, np.dtype[np.uint64]], np.ndarray[Any, Any]]":
    """The hashes of all shingles of normalised texts, one after the other, and where each text's begin and end."""
    # The window of a text's last words reaches into the blanks behind it, so that it is the same in any company.
    buffer = PADDING.join((b"", *texts, b""))
    data = np.frombuffer(buffer, np.uint8)
    is_start = np.zeros(len(data), bool)
    is_start[1:] = (data[1:] != BLANK) & (data[:-1] == BLANK)
    starts = np.flatnonzero(is_start)
    words = [window(buffer, offset)[starts] for offset in (0, 8, 16)]
    hashes = np.zeros(len(starts), np.uint64)
    for word, multiplier in zip(words, MULTIPLIERS, strict=True):
        hashes = (hashes ^ word) * np.uint64(multiplier)
        hashes ^= hashes >> np.uint64(29)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + SHINGLE_BYTES
    ends = np.cumsum(lengths)
    return hashes, np.concatenate(([0], np.searchsorted(starts, ends)))


def window(buffer: bytes, offset: int) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """The eight bytes at each place of a buffer, `offset` further on, as one number; 0 where they would reach out."""
    count = len(buffer) - offset - 7
    view = np.ndarray((max(count, 0),), np.dtype("<u8"), buffer, offset, (1,))
    return np.concatenate((view, np.zeros(len(buffer) - len(view), np.uint64)))


def signatures(texts: Iterable[str]) -> Signatures:
    """The signature of each text. Texts without a word are alike."""
    hashes, places = shingles([normalised(text) for text in texts])
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, places.astype(np.uint64), ENTRIES, SEED)
    entries = chain.from_iterable(matrix.to_rows())
    return np.fromiter(entries, np.uint32, (len(places) - 1) * ENTRIES).reshape(-1, ENTRIES)


def signatures_of_places(path: str, places: Sequence[tuple[int, int]], part: Part) -> bytes:
    """Signatures of rows of a file, given by offset and length, as bytes: what a worker process sends."""
    texts: list[str] = []
    with Path(path).open("rb", buffering=0) as file:
        for first, end, lengths in runs(places):
            data = os.pread(file.fileno(), end - first, first)
            for offset, length in lengths:
                texts.append(text_of_part(data[offset - first : offset - first + length], part))
    return signatures(texts).tobytes()


def runs(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Places that follow each other together, with where they begin and end: they are read in one go."""
    first = end = 0
    together: list[tuple[int, int]] = []
    for offset, length in places:
        if together and not (end <= offset <= end + MOST_BETWEEN and offset + length - first <= READ_BYTES):
            yield first, end, together
            together = []
        if not together:
            first = offset
        together.append((offset, length))
        end = offset + length
    if together:
        yield first, end, together


def in_parallel(
    calls: Iterable[tuple[str, Sequence[tuple[int, int]], Part]], go_on: Callable[[], None] = lambda: None
) -> Iterator[Signatures]:
    """Signatures of many rows, in order, from as many processes as there are cores."""
    workers = os.cpu_count() or 1
    waiting = iter(calls)
    first = list(islice(waiting, 2))
    if len(first) < 2:
        # Starting processes takes longer than one part.
        yield from (np.frombuffer(signatures_of_places(*call), np.uint32).reshape(-1, ENTRIES) for call in first)
        return
    waiting = chain(first, waiting)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        pending = [pool.submit(signatures_of_places, *call) for call in islice(waiting, 2 * workers)]
        while pending:
            go_on()
            found = pending.pop(0).result()
            pending += [pool.submit(signatures_of_places, *call) for call in islice(waiting, 1)]
            yield np.frombuffer(found, np.uint32).reshape(-1, ENTRIES)


def near_pairs(signed: Signatures, threshold: float, apart: "Integers | None" = None) -> Iterator[Pairs]:
    """Pairs (earlier, later) of rows whose estimated similarity is at least `threshold`, band by band.

    Rows that differ in `apart` are no pair. Within a bucket each row is compared with the one before it and with the
    first: enough to connect all alike ones.
    """
    size = ENTRIES // BANDS
    kept_apart = np.uint64(0) if apart is None else apart.astype(np.uint64) * np.uint64(MULTIPLIERS[1])
    for band in range(BANDS):
        keys = np.ascontiguousarray(signed[:, band * size : (band + 1) * size]).view(np.uint64)
        mixed = ((keys[:, 0] + kept_apart) * np.uint64(MULTIPLIERS[0])) ^ keys[:, 1]
        order = np.argsort(mixed, kind="stable")
        ordered = mixed[order]
        is_first = np.r_[True, ordered[1:] != ordered[:-1]]
        first = order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]
        later = ~is_first
        previous = np.r_[order[:1], order[:-1]]
        for earlier in (first, previous):
            for left, right in alike(signed, earlier[later], order[later], threshold):
                is_pair = slice(None) if apart is None else apart[left] == apart[right]
                yield left[is_pair], right[is_pair]


def alike(signed: Signatures, earlier: Integers, later: Integers, threshold: float) -> Iterator[Pairs]:
    """The pairs that are alike enough, a part at a time so that memory stays small."""
    for start in range(0, len(later), PAIRS_AT_ONCE):
        left, right = earlier[start : start + PAIRS_AT_ONCE], later[start : start + PAIRS_AT_ONCE]
        fits = np.mean(signed[left] == signed[right], axis=1) >= threshold
        yield left[fits], right[fits]


def clusters(count: int, pairs: Iterable[Pairs]) -> list[int]:
    """For each row the first row of its cluster: rows that pairs connect, directly or by way of others."""
    parent = list(range(count))
    for left, right in pairs:
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            first, second = root(parent, one), root(parent, other)
            parent[max(first, second)] = min(first, second)
    return [root(parent, row) for row in range(count)]


def root(parent: list[int], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row
