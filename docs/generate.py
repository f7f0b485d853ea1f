"""Write the reference pages that come from the code: `python docs/generate.py [FOLDER]`."""

import sys
from pathlib import Path

from palestra.conformance.cases import read_cases
from palestra.core.discovery import every_environment
from palestra.core.errors import DEFAULT_CODES, ERRORS
from palestra.monitor.catalogue import METRICS, Metric

HERE = Path(__file__).parent


def pages() -> dict[str, str]:
    """Every generated page: path below docs/, and text."""
    return {
        "reference/errors.md": errors_page(),
        "reference/metrics.md": metrics_page(),
        "reference/paid-without-an-answer.md": expected_full_page(),
    }


def errors_page() -> str:
    lines = [
        "# Errors",
        "",
        "Every message of Palestra ends with one of these codes in brackets. Codes of failed rollouts also stand in",
        "the failures file, as `_ng_failure_class`.",
        "",
        "| code | cause | what to do |",
        "|---|---|---|",
    ]
    lines += [f"| `{code}` | {cell(entry.cause)} | {cell(entry.fix)} |" for code, entry in ERRORS.items()]
    lines += [
        "",
        "## Boundaries",
        "",
        "Where a failed rollout broke, and the code it has if nothing more is known.",
        "",
    ]
    lines += ["| boundary | code |", "|---|---|"]
    lines += [f"| `{boundary}` | `{code}` |" for boundary, code in DEFAULT_CODES.items()]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """The page as it is, with its tables made anew: the prose around them is written by hand."""
    text = (HERE / "reference" / "metrics.md").read_text(encoding="utf-8")
    for place in ("agent", "task"):
        begin, end = f"<!-- {place} metrics -->\n", "<!-- end -->"
        before, _, rest = text.partition(begin)
        rows = [metric_row(metric) for metric in METRICS if place in metric.places]
        table = ["| name | formula | unit | range | source |", "|---|---|---|---|---|", *rows]
        text = before + begin + "\n" + "\n".join(table) + "\n\n" + end + rest.partition(end)[2]
    return text


def metric_row(metric: Metric) -> str:
    return f"| `{metric.name}` | {cell(metric.formula)} | {metric.unit} | {metric.range} | {metric.source} |"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def expected_full_page() -> str:
    lines = [
        "# Replies that are paid without an answer",
        "",
        "`palestra check` sends every environment replies that hold no answer and demands that none scores full. These",
        "are the exceptions, each declared in the `cases.jsonl` of its environment.",
        "",
        "| environment | reply | why it may score full |",
        "|---|---|---|",
    ]
    folders = {source.folder: source.name for source in reversed(list(every_environment()))}
    for folder, name in sorted(folders.items(), key=lambda pair: pair[1]):
        for case in read_cases(folder):
            if case.expected_full:
                lines.append(f"| `{name}` | `{case.probe}` | {cell(case.expected_full)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for page, text in pages().items():
        path = target / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
