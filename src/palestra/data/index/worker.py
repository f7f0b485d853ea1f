"""A process that reads blocks of a file: a request on standard input, the segments on standard output."""

import gc
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from palestra.data.index.build import TICKET_BYTES
from palestra.data.index.segment import Block, segment_of, write_segment, write_texts


class WithoutPandas:
    """pyarrow imports pandas if it is there, which takes longer than reading a block, and is not used here."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError(f"{name} is not used in this process")


def main() -> None:
    sys.meta_path.insert(0, WithoutPandas)
    # What is read has no cycles, and looking for some takes a tenth of the time.
    gc.disable()
    request = json.loads(sys.stdin.buffer.read())
    path, folder = Path(request["path"]), Path(request["folder"])
    tickets = request["tickets"]
    if "texts" in request:
        for number in taken(tickets):
            write_texts(path, segment_of(request["texts"][number]), folder)
        return
    segments = [(number, write_segment(path, Block(*request["blocks"][number]), folder)) for number in taken(tickets)]
    sys.stdout.write(json.dumps([[number, asdict(segment)] for number, segment in segments]))


def taken(tickets: int) -> Iterator[int]:
    """Numbers of parts, each of which one of the processes gets from the pipe that they share."""
    while ticket := os.read(tickets, TICKET_BYTES):
        yield int.from_bytes(ticket, "little")


if __name__ == "__main__":
    main()
