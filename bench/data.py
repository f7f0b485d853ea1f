"""What datasets cost: the index, statistics and a five-rule filter, beside a plain Python loop over json.

`rows_per_s` is by the clock, `cpu_s` what all processes of the case used. Each case runs in a process of its own, so
that `peak_rss_mb` is its own: the largest of the process and its workers. The baseline is the same work in a loop over
`json.loads` on the first rows of the file, in the same run.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measurements

from palestra.wire.encoding import encode_with_checksum

ROW_BYTES = 6000
VARIANTS = 5000
"""Different conversations; each row has its own task, reward and key."""
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


def rollouts(count: int) -> Iterator[bytes]:
    generator = random.Random(0)
    made = [conversation(generator) for _ in range(VARIANTS)]
    for variant in made:
        lacking = ROW_BYTES - len(json.dumps(variant)) - 600
        variant["response"]["metadata"] = {"padding": text(generator, max(lacking, 0))}
    for number in range(count):
        task, repeat = divmod(number, 4)
        own = {"version": 1, "key": f"{number:032x}", "environment": "bench", "task_hash": f"{task:032x}",
               "task": {"difficulty": ("easy", "hard")[task % 2]}, "seed": number, "end_reason": "done",
               "timing": {"total_s": 1.5}}  # fmt: skip
        yield encode_with_checksum(
            {**made[generator.randrange(VARIANTS)], "reward": float(generator.random() < 0.6), "accuracy": 1.0,
             "agent_ref": {"type": "responses_api_agents", "name": "bench_agent"}, "_ng_task_index": task,
             "_ng_rollout_index": repeat, "palestra": own}
        )  # fmt: skip


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


CASES: dict[str, Callable[[Path], None]] = {
    "index": build_index,
    "statistics": statistics,
    "filter five rules": five_rules,
    "filter five rules and copy": filter_and_copy,
}


def baseline(path: Path) -> float:
    """Rows a second of a loop over json that counts what statistics and rules need."""
    began = time.perf_counter()
    count = 0
    tasks: dict[int, list[float]] = {}
    with path.open("rb") as file:
        for line in file:
            row = json.loads(line)
            output = row["response"]["output"]
            chars = sum(len(part["text"]) for item in output if item["type"] == "message" for part in item["content"])
            calls = [item["name"] for item in output if item["type"] == "function_call"]
            tasks.setdefault(row["_ng_task_index"], []).append(row["reward"])
            count += chars >= 0 and len(calls) >= 0
            if count == BASELINE_ROWS:
                break
    return count / (time.perf_counter() - began)


def run_case(case: str, path: Path) -> None:
    """Run one case and print what it took; for a process of its own."""
    began = time.perf_counter()
    CASES[case](path)
    seconds = time.perf_counter() - began
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    unit = 1e6 if sys.platform == "darwin" else 1e3
    peak = max(entry.ru_maxrss for entry in used) / unit
    print(json.dumps({"seconds": seconds, "cpu_s": sum(e.ru_utime + e.ru_stime for e in used), "peak_rss_mb": peak}))


def measured(case: str, path: Path, rows: int, base: float) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--case", case, "--file", str(path)], capture_output=True, check=True, timeout=3600
    )
    told = json.loads(done.stdout)
    found = {
        "case": case,
        "rows": rows,
        "rows_per_s": round(rows / told["seconds"]),
        "rows_per_cpu_s": round(rows / told["cpu_s"]),
        "peak_rss_mb": round(told["peak_rss_mb"], 1),
        "baseline_rows_per_s": round(base),
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
        base = baseline(path)
        measurements.write("data", [measured(case, path, arguments.rows, base) for case in CASES], arguments.folder)


if __name__ == "__main__":
    main()
