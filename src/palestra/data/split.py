"""Splitting rows by the hash of what they are: exact, repeatable, and no task in two parts."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

from palestra.core.errors import PalestraError
from palestra.data.load import rows_of_file
from palestra.data.sameness import exact_identity, field_identity, normalised_identity
from palestra.data.seen import Seen
from palestra.rollout.plan import Row
from palestra.store.paths import replacing, writing
from palestra.wire.encoding import encode

REST = "rest"


@dataclass(frozen=True, slots=True)
class Leak:
    """A row of one part that another part has as well."""

    file: str
    line: int
    other_file: str
    other_line: int
    match: str
    """`exact` for the same task, `normalised` for a prompt that differs only in case, spacing or punctuation."""

    def to_json(self) -> dict[str, str | int]:
        return asdict(self)


def parts_of(text: str) -> dict[str, float | int | str]:
    """`train=0.9,validation=0.1`, `test=200,train=rest`: shares, counts, and at most one part with the rest."""
    parts: dict[str, float | int | str] = {}
    for entry in text.split(","):
        name, _, value = entry.strip().partition("=")
        if not name.isidentifier() or name in parts or not value:
            raise PalestraError("usage", f"--parts must be NAME=SHARE,NAME=COUNT,NAME=rest, got {text!r}")
        parts[name] = value if value == REST else share_or_count(name, value)
    shares = [value for value in parts.values() if isinstance(value, float)]
    open_parts = list(parts.values()).count(REST)
    if open_parts > 1 or sum(shares) > 1 + 1e-9 or (not open_parts and abs(sum(shares) - 1) > 1e-9 and shares):
        fix = "Let the shares add up to 1, or give one part the rest."
        raise PalestraError("usage", f"the parts {text!r} do not make a whole", fix=fix)
    return parts


def share_or_count(name: str, value: str) -> float | int:
    try:
        number = int(value) if value.isdecimal() else float(value)
    except ValueError as error:
        raise PalestraError("usage", f"part {name!r} must be a share, a count or rest, got {value!r}") from error
    if isinstance(number, float) and not 0 < number <= 1:
        raise PalestraError("usage", f"the share of {name!r} must be above 0 and at most 1, got {value}")
    return number


def counts_of(parts: Mapping[str, float | int | str], rows: int) -> dict[str, int]:
    """How many rows each part gets, together all that are asked for. Shares are of all rows.

    Shares are rounded down, and what is left goes to the largest remainders (Hamilton's method).
    """
    exact = {name: rows * value for name, value in parts.items() if isinstance(value, float)}
    counts = {name: int(value) if isinstance(value, int) else int(exact.get(name, 0)) for name, value in parts.items()}
    left = round(sum(exact.values())) - sum(counts[name] for name in exact)
    for name in sorted(exact, key=lambda name: counts[name] - exact[name])[: max(0, left)]:
        counts[name] += 1
    spare = rows - sum(counts.values())
    if spare < 0:
        raise PalestraError("usage", f"the parts ask for {rows - spare} rows, and there are {rows}")
    return {name: spare if parts[name] == REST else count for name, count in counts.items()}


def split(
    path: Path, output: Path, parts: Mapping[str, float | int | str], *, seed: int = 0, by: str | None = None
) -> dict[str, tuple[int, int]]:
    """Write `<output>/<part>.jsonl` for each part; by part, how many rows it was to have and how many it has.

    Rows with the same prompt (up to case, spacing and punctuation), or with the same value of the field `by`, stay
    together. Which part they are in follows from the seed and a hash, not from their place, and each part keeps the
    order of the file. The counts are exact where no rows have to stay together, and else as close as a cut between
    groups comes. Rows that nothing was asked for are in no part. Memory: 8 bytes a row.
    Raises PalestraError if a row cannot be read, before anything is written.
    """
    hashes = array("Q", (position(row, seed, by) for row in readable(path)))
    asked = counts_of(parts, len(hashes))
    ordered = sorted(hashes)
    ends = cuts(ordered, list(asked.values()))
    got = dict.fromkeys(parts, 0)
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = [stack.enter_context(replacing(output / f"{name}.jsonl")) for name in parts]
        for place, row in zip(hashes, readable(path), strict=True):
            number = bisect_right(ends, place)
            if number < len(files):
                files[number].write(encode(row.content) + b"\n")
                got[list(parts)[number]] += 1
    return {name: (asked[name], got[name]) for name in parts}


def readable(path: Path) -> Iterator[Row]:
    for row in rows_of_file(path):
        if row.problem is not None:
            raise PalestraError("invalid-row", row.problem)
        yield row


def position(row: Row, seed: int, by: str | None) -> int:
    """Where on a line of 2**64 places a row's group stands."""
    try:
        group = normalised_identity(row.content) if by is None else field_identity(row.content, by)
    except ValueError as error:
        raise PalestraError("invalid-row", f"{row.origin}: {error}") from error
    return int.from_bytes(blake2b(group, digest_size=8, key=f"{seed}".encode()).digest())


def cuts(ordered: Sequence[int], counts: Sequence[int]) -> list[int]:
    """The first place behind each part: the edge of a group that comes nearest to the count."""
    ends: list[int] = []
    wanted = start = 0
    for count in counts:
        wanted += count
        end = max(start, nearest_edge(ordered, wanted) if count else start)
        ends.append(ordered[end] if end < len(ordered) else 1 << 64)
        start = end
    return ends


def nearest_edge(ordered: Sequence[int], wanted: int) -> int:
    """The index nearest to `wanted` at which another group begins."""
    if wanted in (0, len(ordered)) or ordered[wanted] != ordered[wanted - 1]:
        return wanted
    low = high = wanted
    while low > 0 and ordered[low] == ordered[low - 1]:
        low -= 1
    while high < len(ordered) and ordered[high] == ordered[high - 1]:
        high += 1
    # A part that was asked for is not left empty for want of a smaller group.
    return low if low and wanted - low <= high - wanted else high


def leaks(files: Sequence[Path]) -> Iterator[Leak]:
    """The rows of later files that an earlier one has: the same task, or the same prompt written otherwise."""
    exact, normalised = Seen(files), Seen(files)
    for number, path in enumerate(files):
        for row in readable(path):
            line = line_of(row)
            found = (
                ("exact", exact.earlier(exact_identity(row.content), number, line)),
                ("normalised", normalised.earlier(normalised_identity(row.content), number, line)),
            )
            for match, place in found:
                if place is not None and place[0] != number:
                    yield Leak(str(path), line, str(files[place[0]]), place[1], match)
                    break


def line_of(row: Row) -> int:
    return int(row.origin.rpartition(" ")[2])
