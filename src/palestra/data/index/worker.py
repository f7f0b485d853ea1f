"""A process that reads blocks of a file: a request on standard input, the segments on standard output."""

import gc
import json
import sys
from dataclasses import asdict
from pathlib import Path

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
    if "texts" in request:
        for entry in request["texts"]:
            write_texts(path, segment_of(entry), folder)
        return
    segments = [write_segment(path, Block(*block), folder) for block in request["blocks"]]
    sys.stdout.write(json.dumps([asdict(segment) for segment in segments]))


if __name__ == "__main__":
    main()
