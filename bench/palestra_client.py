"""One `palestra collect` in this process, and what it cost from its configuration to its report, metrics included."""

import argparse
import json
from pathlib import Path

from spent import Spent

from palestra.cli.collect import add_arguments, read_config
from palestra.collection.collect import Report, collect

ENVIRONMENTS = {"single": "times_seven", "tool": "look_up"}


def run(url: str, case: str, rollouts: int, in_flight: int, output: Path) -> Report:
    rows = output.with_name("rows.jsonl")
    rows.write_text("".join(f'{{"number": {number}}}\n' for number in range(rollouts)))
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    environment = Path(__file__).parent / "environments" / ENVIRONMENTS[case]
    words = [str(environment), "--model", "openai:mock", "--api", "chat", "--base-url", url, "--input", str(rows)]
    words += ["--concurrency", str(in_flight), "--output", str(output)]
    import uvloop

    return uvloop.run(collect(read_config(parser.parse_args(words))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--case", choices=sorted(ENVIRONMENTS), required=True)
    parser.add_argument("--rollouts", type=int, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args()
    with Spent() as spent:
        report = run(asked.url, asked.case, asked.rollouts, asked.in_flight, asked.output)
    mean = report.metrics[0]["agent_metrics"]["mean/reward"]
    print(json.dumps({**spent.to_json(), "judged": report.judged, "mean_reward": mean}))
