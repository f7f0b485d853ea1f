"""What datasets cost: index, statistics, filter, near duplicates, exports and the rest, beside plain loops over json.

`rows_per_s` is by the clock, `cpu_s` what all processes of the case used. Each case runs in a process of its own;
`peak_rss_mb` is the largest sum over it and its workers, looked at every 50 ms. The baseline of a case is its work in a
loop over `json.loads` on the first rows of the file, in the same run: counting for those that read columns, hashing
words for near duplicates and decontamination, writing messages for exports, tokens and n-grams for the samples.
"""

import argparse
import hashlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measurements

from palestra.wire.encoding import encode_with_checksum
from palestra.wire.rows import PARAMS

ROW_BYTES = 6000
VARIANTS = 5000
"""Different conversations; each row has its own task, reward and key, and shares its prompt with its task's others."""
SAMPLE = 20_000
"""Rows of which texts are read for n-grams, clusters and tokens."""
CONTAMINATED = 100_000
"""Rows that a benchmark's questions are looked for in."""
BASELINE_ROWS = 20_000
RULES = (
    "reward >= 0.5",
    "turns <= 6",
    "assistant_chars > 200",
    "tool_errors == 0 and tools contains 'search'",
    "task_success_rate < 1",
)
WORDS = ("the", "answer", "is", "therefore", "we", "add", 'so "x"', "both", "sides", "2\n", "é", "7,", "equation")


def text(generator: random.Random, chars: int) -> str:
    return " ".join(generator.choices(WORDS, k=chars // 6))


def conversation(generator: random.Random) -> dict[str, Any]:
    """A rollout of about `ROW_BYTES` with tool calls and reasoning."""
    tool = {"type": "object", "properties": {"query": {"type": "string", "description": text(generator, 60)}}}
    tools = [
        {"type": "function", "name": name, "description": text(generator, 90), "parameters": tool, "strict": True}
        for name in ("search", "book")
    ]
    output: list[dict[str, Any]] = []
    for number in range(generator.randint(0, 4)):
        answer = '{"error":"no such page"}' if generator.random() < 0.1 else text(generator, 500)
        output += (
            {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": text(generator, 200)}]},
            {"type": "function_call", "name": generator.choice(("search", "book")), "arguments": '{"query":"x"}',
             "call_id": f"c{number}", "id": "f", "status": "completed"},
            {"type": "function_call_output", "call_id": f"c{number}", "output": answer},
        )  # fmt: skip
    part = {"type": "output_text", "text": text(generator, generator.randint(100, 1500)), "annotations": []}
    output.append({"type": "message", "role": "assistant", "id": "m", "status": "completed", "content": [part]})
    asked = [{"role": "system", "content": text(generator, 300)}, {"role": "user", "content": text(generator, 400)}]
    params = {"input": asked, "tools": tools, "temperature": 1.0}
    response = {"id": "resp", "object": "response", "model": "m", "status": "completed", "output": output}
    usage = {"input_tokens": 900, "output_tokens": 300, "total_tokens": 1200}
    return {"responses_create_params": params, "response": {**response, "usage": usage}}


def hash_of(*numbers: int) -> str:
    return hashlib.blake2b(repr(numbers).encode(), digest_size=16).hexdigest()


def rollouts(count: int) -> Iterator[bytes]:
    generator = random.Random(0)
    made = [conversation(generator) for _ in range(VARIANTS)]
    for variant in made:
        lacking = ROW_BYTES - len(json.dumps(variant)) - 600
        variant["response"]["metadata"] = {"padding": text(generator, max(lacking, 0))}
    for number in range(count):
        task, repeat = divmod(number, 4)
        own = {"version": 1, "key": hash_of(number, repeat), "environment": "bench", "task_hash": hash_of(task),
               "task": {"difficulty": ("easy", "hard")[task % 2]}, "seed": number, "end_reason": "done",
               "timing": {"total_s": 1.5}}  # fmt: skip
        said = made[generator.randrange(VARIANTS)]["response"]
        yield encode_with_checksum(
            {
                PARAMS: made[task % VARIANTS][PARAMS],
                "response": said,
                "reward": float(generator.random() < 0.6),
                "accuracy": 1.0,
                "agent_ref": {"type": "responses_api_agents", "name": "bench_agent"},
                "_ng_task_index": task,
                "_ng_rollout_index": repeat,
                "palestra": own,
            }
        )


def build_index(path: Path) -> None:
    from palestra.data.rows import Rows

    Rows.open([path])


def statistics(path: Path) -> None:
    from palestra.data.rows import Rows
    from palestra.data.statistics.dataset import task_statistics, tool_counts
    from palestra.data.statistics.numbers import describe

    rows = Rows.open([path])
    for name in ("reward", "assistant_chars", "turns", "tool_calls"):
        describe(rows.numbers(name))
    tool_counts(rows)
    task_statistics(rows)


def five_rules(path: Path) -> None:
    from palestra.data.curate.filters import Filter
    from palestra.data.curate.pipeline import curate
    from palestra.data.rows import Rows

    curate(Rows.open([path]), [Filter(where=list(RULES))], caches=False)


def filter_and_copy(path: Path) -> None:
    from palestra.data.curate.filters import Filter
    from palestra.data.curate.pipeline import curate
    from palestra.data.rows import Rows

    output = path.with_name("filtered.jsonl")
    curate(Rows.open([path]), [Filter(where=list(RULES))], caches=False).write(output)
    output.unlink()


def near_duplicates(path: Path) -> None:
    from palestra.data.curate.near import NearDuplicates
    from palestra.data.curate.pipeline import curate
    from palestra.data.rows import Rows

    curate(Rows.open([path]), [NearDuplicates()], caches=False)


def export_sft(path: Path) -> None:
    exported(path, "sft")


def export_dpo(path: Path) -> None:
    exported(path, "dpo")


def exported(path: Path, kind: Any) -> None:
    from palestra.data.export.export import ExportConfig, export

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        export(ExportConfig(format=kind, target="trl", inputs=(path,), output=Path(folder) / kind))


def decontaminate(path: Path) -> None:
    import numpy as np

    from palestra.data.curate.decontaminate import Decontaminate
    from palestra.data.rows import Rows

    generator = random.Random(1)
    against = path.with_name("benchmark.jsonl")
    against.write_text("".join(json.dumps({"question": text(generator, 240)}) + "\n" for _ in range(1000)))
    rows = Rows.open([path])
    Decontaminate(against=[against]).matches(rows, np.arange(min(len(rows), CONTAMINATED)), Path())


def distinct_and_clusters(path: Path) -> None:
    from palestra.data.rows import Rows
    from palestra.data.statistics.diversity import diversity
    from palestra.data.texts import texts_of

    rows = Rows.open([path])
    diversity([texts_of(rows.line(row)).written for row in sampled(len(rows))])


def token_counts(path: Path) -> None:
    from palestra.collection.chat_templates import open_chat_template
    from palestra.data.rows import Rows
    from palestra.data.statistics.dataset import token_counter
    from palestra.data.texts import texts_of

    tokenizer = path.with_name("tokenizer.json")
    open_chat_template("embedded").tokenizer.save(str(tokenizer))
    count = token_counter(tokenizer)
    rows = Rows.open([path])
    for row in sampled(len(rows)):
        count(texts_of(rows.line(row)).written)


def sampled(rows: int) -> range:
    """Every row at equal distances, `SAMPLE` in all."""
    return range(0, rows, max(1, rows // SAMPLE))[:SAMPLE]


def by_columns(row: dict[str, Any], tasks: dict[int, list[float]]) -> None:
    """What statistics and rules need of a row."""
    output = row["response"]["output"]
    chars = sum(len(part["text"]) for item in output if item["type"] == "message" for part in item["content"])
    calls = [item["name"] for item in output if item["type"] == "function_call"]
    tasks.setdefault(row["_ng_task_index"], []).append(row["reward"])
    tasks.setdefault(-1, [0.0])[0] += chars + len(calls)


def by_shingles(row: dict[str, Any], tasks: dict[int, list[float]]) -> None:
    """64 smallest hashes of the runs of three words of the last answer."""
    words = row["response"]["output"][-1]["content"][0]["text"].lower().split()
    runs = zip(words, words[1:], words[2:], strict=False)
    tasks[row["_ng_task_index"]] = [float(value) for value in sorted(map(hash, runs))[:64]]


def by_grams(row: dict[str, Any], tasks: dict[int, list[float]]) -> None:
    """Runs of 13 words of everything, looked up in a set."""
    words = json.dumps(row["response"]["output"]).lower().split()
    runs = {" ".join(words[place : place + 13]) for place in range(len(words) - 12)}
    tasks.setdefault(-1, []).extend([1.0] * len(runs & set[str]()))


def by_messages(row: dict[str, Any], tasks: dict[int, list[float]]) -> None:
    """Messages of prompt and reply, written as JSON."""
    said = [item for item in row["response"]["output"] if item["type"] == "message"]
    messages = [*row["responses_create_params"]["input"], *({"role": "assistant", "content": item} for item in said)]
    tasks.setdefault(-1, [0.0])[0] += len(json.dumps({"messages": messages}))


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured."""

    work: Callable[[Path], None]
    baseline: Callable[[dict[str, Any], dict[int, list[float]]], None]
    most: int | None = None
    """It reads so many rows only; else all of them."""


CASES: dict[str, Case] = {
    "index": Case(build_index, by_columns),
    "statistics": Case(statistics, by_columns),
    "filter_five_rules": Case(five_rules, by_columns),
    "filter_five_rules_and_copy": Case(filter_and_copy, by_columns),
    "near_duplicates": Case(near_duplicates, by_shingles),
    "export_sft": Case(export_sft, by_messages),
    "export_dpo": Case(export_dpo, by_messages),
    "decontaminate": Case(decontaminate, by_grams, most=CONTAMINATED),
    "distinct_and_clusters": Case(distinct_and_clusters, by_shingles, most=SAMPLE),
    "token_counts": Case(token_counts, by_messages, most=SAMPLE),
}


def baseline(path: Path, work: Callable[[dict[str, Any], dict[int, list[float]]], None]) -> float:
    """Rows a second of a loop over json."""
    began = time.perf_counter()
    count = 0
    tasks: dict[int, list[float]] = {}
    with path.open("rb") as file:
        for line in file:
            work(json.loads(line), tasks)
            count += 1
            if count == BASELINE_ROWS:
                break
    return count / (time.perf_counter() - began)


def run_case(case: str, path: Path) -> None:
    """Run one case and print what it took; for a process of its own."""
    began = time.perf_counter()
    CASES[case].work(path)
    seconds = time.perf_counter() - began
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"seconds": seconds, "cpu_s": sum(entry.ru_utime + entry.ru_stime for entry in used)}))


def resident_mb(process: int) -> float:
    """Resident memory of a process and all that it started, without what they share with others."""
    total = 0.0
    children: list[str] = []
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total = int(line.split()[1]) / 1024
        for task in Path(f"/proc/{process}/task").iterdir():
            children += (task / "children").read_text().split()
    return total + sum(resident_mb(int(child)) for child in children)


def measured(case: str, path: Path, rows: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--case", case, "--file", str(path)]
    peak_mb = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            peak_mb = max(peak_mb, resident_mb(process.pid))
            time.sleep(0.05)
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
    read = min(rows, CASES[case].most or rows)
    found = {
        "case": case,
        "rows": read,
        "rows_per_s": round(read / told["seconds"]),
        "rows_per_cpu_s": round(read / told["cpu_s"]),
        "peak_rss_mb": round(peak_mb, 1),
        "baseline_rows_per_s": round(baseline(path, CASES[case].baseline)),
        "cpu_s": round(told["cpu_s"], 2),
    }
    print(json.dumps(found), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--scratch", type=Path, help="where the rows are generated; needs 7 GB for 1,000,000 rows")
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--file", type=Path)
    arguments = parser.parse_args()
    if arguments.case:
        run_case(arguments.case, arguments.file)
        return
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        path = Path(folder) / "rollouts.jsonl"
        with path.open("wb") as file:
            file.writelines(line + b"\n" for line in rollouts(arguments.rows))
        size = path.stat().st_size / arguments.rows
        print(f"{arguments.rows} rows of {size:.0f} bytes", flush=True)
        measurements.write("data", [measured(case, path, arguments.rows) for case in CASES], arguments.folder)


if __name__ == "__main__":
    main()
