"""reference/paid-without-an-answer.md, from the declared exceptions of the hostile-reply check."""

from generation.tables import cell
from palestra.conformance.cases import read_cases
from palestra.core.discovery import every_environment


def paid_page() -> str:
    lines = [
        "# Replies that are paid without an answer",
        "",
        "[`palestra check`](cli.md#palestra-check) sends every [environment](environments.md) hostile replies, which",
        "hold no answer, and demands that none scores full. These are the exceptions, each declared in the",
        "`cases.jsonl` of its environment. Why this matters:",
        "[Verifying agent results](../concepts/verifying-agent-results.md).",
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
