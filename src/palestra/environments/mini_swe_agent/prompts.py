"""What a model is told at the start of an episode."""

from palestra.core.model import Item
from palestra.core.transcript import user_message
from palestra.wire.mini_swe import SUBMIT_MARK

SYSTEM = """You mend programs. You work in a shell, one command at a time: you say a command, it is run, and you are \
shown what it printed.

Each of your replies consists of a THOUGHT, which says what you want to find out or change and why, and of EXACTLY ONE \
bash block:

THOUGHT: The issue speaks of dates, so I look for where they are parsed.

```bash
grep -rn "strptime" src
```

A reply with no block, or with several, is not run."""

TASK = """Here is an issue that somebody reported about the program in {folder}:

<issue>
{issue}
</issue>

Change the program so that the issue is solved, in general and not only for the examples it gives, in the style of \
the code around it.

- Your commands are run in {folder}, each in a shell of its own: changes of directory and of variables are gone with \
the next one. Write `cd sub && ...` or `NAME=value ...` where you need them.
- Join commands that belong together with && or ||, or write a script.
- No command can ask you anything: no editors, no pagers, no prompts. One that takes longer than {step_timeout_s:g} s \
is ended.
- There is no network.
- Change the source. Tests and configuration are put back before your change is judged.
- Ways to change files: `sed -i`, `cat <<'EOF' > file`, a short Python script.

Look at the code, reproduce the issue, mend it, and run the tests. When you are done, or can do no more, submit with \
exactly this command:

```bash
{submit}
```

Nothing can be changed after that. You have {step_limit} commands."""

SUBMIT = f"echo {SUBMIT_MARK} && git add -A && git diff --cached"
"""The command that submits all changes."""


def opening(issue: str, *, folder: str, step_timeout_s: float, step_limit: int) -> list[Item]:
    """The two messages of an episode's start."""
    task = TASK.format(
        issue=issue.strip(), folder=folder, step_timeout_s=step_timeout_s, submit=SUBMIT, step_limit=step_limit
    )
    return [{"type": "message", "role": "system", "content": SYSTEM}, user_message(task)]
