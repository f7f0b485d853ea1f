"""Tokens per second and startup time of the embedded model. Run on an otherwise idle machine."""

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

import measurements

from palestra.core.model import Sampling
from palestra.core.transcript import user_message
from palestra.models.embedded import EmbeddedModel

BATCHES = (1, 8, 32, 64)
NEW_TOKENS = 60
QUESTIONS = (
    "What is {n} plus 17? Explain each step.",
    "Write a short story about {n} lighthouses.",
    "Name {n} animals and say where they live.",
    "Why is the number {n} interesting?",
)


async def startup_s() -> float:
    """From the constructor to the first token."""
    start = time.perf_counter()
    model = EmbeddedModel()
    await model.respond([user_message("Hello")], [], Sampling(max_output_tokens=1))
    taken = time.perf_counter() - start
    await model.close()
    return taken


async def tokens_per_s(model: EmbeddedModel, sequences: int) -> float:
    """Generated tokens over the whole time, reading the prompts included."""
    start = time.perf_counter()
    replies = await asyncio.gather(*(ask(model, number) for number in range(sequences)))
    return sum(replies) / (time.perf_counter() - start)


async def ask(model: EmbeddedModel, number: int) -> int:
    question = QUESTIONS[number % len(QUESTIONS)].format(n=number)
    sampling = Sampling(temperature=1.0, seed=number, max_output_tokens=NEW_TOKENS)
    return (await model.respond([user_message(question)], [], sampling)).usage.output_tokens


async def measure() -> list[dict[str, Any]]:
    first = {"case": "startup", "seconds": round(await startup_s(), 2)}
    model = EmbeddedModel()
    await ask(model, 0)
    speeds = [
        {"case": "throughput", "in_flight": sequences, "tokens_per_s": round(await tokens_per_s(model, sequences), 1)}
        for sequences in BATCHES
    ]
    await model.close()
    return [first, *speeds]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=measurements.ROOT / "bench" / "results")
    asked = parser.parse_args()
    rows = asyncio.run(measure())
    for row in rows:
        print(row)
    measurements.write("embedded", rows, asked.results)
