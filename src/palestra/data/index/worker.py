"""A process that reads blocks of a file: a request on standard input, the segments on standard output."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from palestra.data.index.segment import Block, write_segment


def main() -> None:
    request = json.loads(sys.stdin.buffer.read())
    path, folder = Path(request["path"]), Path(request["folder"])
    segments = [write_segment(path, Block(*block), folder) for block in request["blocks"]]
    sys.stdout.write(json.dumps([asdict(segment) for segment in segments]))


if __name__ == "__main__":
    main()
