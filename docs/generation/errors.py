"""reference/errors.md, from the registry of codes."""

from generation.tables import table
from palestra.core.error_codes import ERRORS
from palestra.core.errors import DEFAULT_CODES


def errors_page() -> str:
    lines = [
        "# Errors",
        "",
        "Every message of Palestra ends with one of these codes in brackets. Codes of failed rollouts also stand in",
        "the failures file, as `_ng_failure_class`. What happens to such a rollout is told in",
        "[Failures](../concepts/failures.md), its line in [Rollout format](rollout-format.md#a-failed-rollout), the",
        "options that are named here in [Command line](cli.md).",
        "",
        "## Boundaries",
        "",
        "Where a failed rollout broke, and the code it has if nothing more is known.",
        "",
        *table(("boundary", "code"), ((f"`{name}`", f"[`{code}`](#{code})") for name, code in DEFAULT_CODES.items())),
        "",
        "## Codes",
        "",
    ]
    for code, entry in ERRORS.items():
        lines += [f"### {code}", "", f"{entry.cause}", "", f"**What to do:** {entry.fix}", ""]
    return "\n".join(lines)
