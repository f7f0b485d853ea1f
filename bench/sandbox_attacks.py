"""How many programs of a corpus of attacks each boundary stops, and which it does not."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import measurements

from palestra.conformance.boundary.check import check_corpus
from palestra.conformance.boundary.corpus import read_corpus

CORPUS = measurements.ROOT.parent / "shared" / "data" / "corpus" / "code_attacks.jsonl"
BACKENDS = ("namespaces", "landlock", "weak")


def measure(corpus: Path, backends: Iterable[str]) -> Iterator[dict[str, Any]]:
    for backend in backends:
        report = check_corpus(
            read_corpus(corpus), backend, lambda case, found: print(f"{case.id}: {found or 'stopped'}", flush=True)
        )
        named = report.to_json()
        row = {name: named[name] for name in ("n", "stopped", "categories")}
        yield {"case": backend, **row, "not_stopped": named["reasons"]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--backend", action="append", choices=(*BACKENDS, "none"))
    parser.add_argument("--results", type=Path, default=measurements.ROOT / "bench" / "results")
    asked = parser.parse_args()
    measurements.write("sandbox-attacks", list(measure(asked.corpus, asked.backend or BACKENDS)), asked.results)
