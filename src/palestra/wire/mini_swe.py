"""What mini-swe-agent and a model say to each other: the command of a reply, what came of it, and the submission.

Tags, fences and the mark are those of mini-swe-agent 1.x, which NeMo Gym's rollouts hold; the sentences are our own.
"""

SUBMIT_MARK = "MINI_SWE_AGENT_FINAL_OUTPUT"
"""The first line of an output that is the submission."""
LONGEST_OUTPUT = 10_000
"""Characters of an output that are shown whole."""
KEPT_AT_EACH_END = 5_000
FENCE = "```bash\n"
FENCE_END = "\n```"

FORMAT_ERROR = """\
Nothing was run: a reply must hold EXACTLY ONE bash block, and this one holds {count}.

Write it like this:

THOUGHT: what you want to find out or change, and why

```bash
<command>
```

To do several things, join them with && or ||. To submit, run the command that the task names for it."""

TOO_LONG = (
    "This output is too long to be shown whole. Ask for less: view files with head, tail or sed -n, narrow a search, or"
    " write the output to a file and look into that."
)
REPEATED = "You have run this command {count} times in a row. Try something else."


def commands_of(text: str) -> list[str]:
    """The bash blocks of a reply. Each character is looked at once: replies are hostile."""
    found: list[str] = []
    place = 0
    while (start := text.find(FENCE, place)) >= 0:
        start += len(FENCE)
        end = text.find(FENCE_END, start)
        if end < 0:
            break
        found.append(text[start:end].strip())
        place = end + len(FENCE_END)
    return found


def format_error(count: int) -> str:
    """What a reply with `count` bash blocks, not one, is answered."""
    return FORMAT_ERROR.format(count=count)


def observation(exit_code: int, output: str, *, exception: str | None = None, repeated: int = 0) -> str:
    """What a command is answered: `exception` says why it was ended, if it did not end by itself, and `repeated` how
    often it was run in a row, if the model is to be told."""
    parts = [] if exception is None else [f"<exception>{exception}</exception>"]
    parts.append(f"<returncode>{exit_code}</returncode>")
    if repeated:
        parts.append(f"<warning>\n{REPEATED.format(count=repeated)}\n</warning>")
    return "\n".join([*parts, shown(output)])


def shown(output: str) -> str:
    """An output as the model sees it: whole, or both ends of it."""
    if len(output) <= LONGEST_OUTPUT:
        return f"<output>\n{output}</output>"
    head, tail = output[:KEPT_AT_EACH_END], output[-KEPT_AT_EACH_END:]
    elided = len(output) - 2 * KEPT_AT_EACH_END
    return (
        f"<warning>\n{TOO_LONG}\n</warning><output_head>\n{head}\n</output_head>\n"
        f"<elided_chars>\n{elided} characters elided\n</elided_chars>\n<output_tail>\n{tail}\n</output_tail>"
    )


def submission_of(output: str) -> str | None:
    """What an output submits, or None if it is an ordinary one."""
    first, _, rest = output.lstrip().partition("\n")
    return rest if first.strip() == SUBMIT_MARK else None


def is_answer(text: str) -> bool:
    """Whether a message of the harness answers a reply, rather than being what was submitted."""
    return text.startswith(("<returncode>", "<exception>", FORMAT_ERROR.partition("{")[0]))
