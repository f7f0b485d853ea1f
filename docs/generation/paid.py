"""reference/paid-without-an-answer.md, from the declared exceptions of the attacks on verifiers."""

from generation.tables import cell
from palestra.conformance.cases import read_cases
from palestra.core.discovery import every_environment


def paid_page() -> str:
    lines = [
        "# Replies that are paid without an answer",
        "",
        "[`palestra check`](cli.md#palestra-check) attacks the verifier of every [environment](environments.md):",
        "hostile replies, which deserve less than a full reward, must not get one. These are the exceptions, each",
        "declared in the `cases.jsonl` of its environment; `*` stands for all attacks. Why this matters:",
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
