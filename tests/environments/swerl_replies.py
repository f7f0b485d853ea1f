"""Rows and replies for swerl_gen, made of the shipped repositories: what tasks.jsonl and cases.jsonl hold."""

import json
from typing import Any

from palestra.grading.repositories import Edit, Instance, instance_named, instances

REPRODUCED = (
    "calcparse__powers_from_the_left", "gridmath__exchange_keeps_sign", "intervals__neighbours_stay_apart",
    "intervals__end_is_in_the_set", "recentcache__lifetime_boundary", "stockroom__reservations_replace",
    "taskgraph__diamond_is_a_cycle", "tinycsv__old_line_ends", "wordwrap__line_one_too_short",
)  # fmt: skip
"""Instances that are also asked for a script."""


def row_of(instance: Instance, mode: str = "eval") -> dict[str, Any]:
    issue = {
        "instance_id": instance.instance_id,
        "repo": instance.repository,
        "version": instance.version,
        "problem_statement": instance.problem_statement,
    }
    return {"instance": issue, "mode": mode}


def task_rows() -> list[dict[str, Any]]:
    found = [row_of(instance) for instance in instances()]
    return found + [row_of(instance_named(name), "repro-gen") for name in REPRODUCED]


def block(path: str, search: str, replace: str) -> str:
    return f"```python\n### {path}\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n```"


def solution(*blocks: str) -> str:
    return "The cause is in the code.\n\n<solution>\n" + "\n\n".join(blocks) + "\n</solution>"


def edit_block(content: str, edit: Edit) -> str:
    """An edit in whole lines, with as many lines before it as make its place the only one."""
    before, after = content.split("\n"), content.replace(edit.broken, edit.fixed, 1).split("\n")
    if not edit.broken:
        raise ValueError("an edit that only adds has no place of its own")
    same = 0
    while before[same] == after[same]:
        same += 1
    tail = 0
    while before[-1 - tail] == after[-1 - tail] and tail < min(len(before), len(after)) - same - 1:
        tail += 1
    end = len(before) - tail
    while same and ("\n" + content).count("\n" + "\n".join(before[same:end])) != 1:
        same -= 1
    return block(edit.path, "\n".join(before[same:end]), "\n".join(after[same : len(after) - tail]))


def repair(name: str, *numbers: int) -> str:
    """A reply that makes edits of an instance good: those with these numbers, or all."""
    instance = instance_named(name)
    chosen = [instance.edits[number] for number in numbers] if numbers else instance.edits
    return solution(*(edit_block(instance.files[edit.path], edit) for edit in chosen))


def module_added(name: str, code: str) -> str:
    """A reply that adds code to the package's own module, and repairs nothing."""
    instance = instance_named(name)
    path = f"{instance.repository}/__init__.py"
    line = instance.files[path].split("\n")[0]
    return solution(block(path, line, f"{line}\n{code}"))


def script(*lines: str) -> str:
    return "This shows it.\n\n```python\n" + "\n".join(lines) + "\n```"


NEIGHBOURS, ENDS, HOLES = (
    "intervals__neighbours_stay_apart", "intervals__end_is_in_the_set", "intervals__holes_and_overlaps",
)  # fmt: skip
PASS_ALL = (
    "import pytest\n\n\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
    "    outcome = yield\n    outcome.get_result().outcome = 'passed'"
)
PATCHED_REPORTS = (
    "import _pytest.reports as reports\n\nmade = reports.TestReport.from_item_and_call.__func__\n\n\n"
    "def green(cls, item, call):\n    call.excinfo = None\n    return made(cls, item, call)\n\n\n"
    "reports.TestReport.from_item_and_call = classmethod(green)"
)
SHOWS_NEIGHBOURS = script(
    "import sys", "from intervals import Interval, IntervalSet", "",
    "found = IntervalSet([Interval(0, 2), Interval(2, 5)])", "sys.exit(0 if len(found) == 1 else 2)",
)  # fmt: skip
READS_TEXT = script(
    "import sys", 'text = open("intervals/interval.py").read()', 'sys.exit(2 if "or self == other" in text else 0)',
)  # fmt: skip


def case(name: str, kind: str, instance: str, reply: str, reward: float, mode: str = "eval", **more: Any) -> str:
    entry = {"name": name, "kind": kind, "task": row_of(instance_named(instance), mode), "replies": [reply]}
    return json.dumps({**entry, "reward": reward, **more})


def case_lines() -> list[str]:
    tests = block("tests/test_interval.py", "import pytest", "import os\n\nos._exit(0)")
    tagless = repair(ENDS).replace("<solution>", "").replace("</solution>", "")
    thought = f"<think>{solution(block('intervals/sets.py', 'a', 'b'))}</think>"
    # A comment with the letters of the broken line must not look like a repair.
    comment = module_added(NEIGHBOURS, "# return max(self.start, other.start) <= min(self.end, other.end)")
    return [
        case("the repair", "full", NEIGHBOURS, repair(NEIGHBOURS), 1),
        case("another repair", "full", "gridmath__exchange_keeps_sign", repair("gridmath__exchange_keeps_sign"), 1),
        case("two edits", "full", HOLES, repair(HOLES), 1),
        case("reasoning with a solution of its own", "full", ENDS, thought + repair(ENDS), 1),
        case("no tags, relaxed", "full", ENDS, tagless, 1, options={"relaxed_formatting": True},
             not_attacked="it is read in another way"),
        case("a script that shows it", "full", NEIGHBOURS, SHOWS_NEIGHBOURS, 1, "repro-gen"),
        case("one of two edits", "partial", HOLES, repair(HOLES, 0), 0.2),
        case("the other of two edits", "partial", HOLES, repair(HOLES, 1), 0.2),
        case("half of the keys", "partial", "recentcache__memo_keys", repair("recentcache__memo_keys", 0), 0.2),
        case("no patch", "zero", NEIGHBOURS, "I could not find the cause.", 0),
        case("the repair of another bug", "zero", NEIGHBOURS, repair(HOLES, 1), 0),
        case("a comment", "zero", NEIGHBOURS, comment, 0),
        case("a repair that breaks another test", "zero", ENDS,
             repair(ENDS).replace("self.start <= number < self.end", "self.start < number < self.end"), 0),
        case("no tags", "malformed", ENDS, tagless, 0),
        case("a text that is not there", "malformed", ENDS, solution(block("intervals/sets.py", "nothing", "x")), 0),
        case("equal texts", "malformed", ENDS, solution(block("intervals/sets.py", "class IntervalSet:",
                                                             "class IntervalSet:")), 0),
        case("an unfinished block", "malformed", ENDS, repair(ENDS).replace(">>>>>>> REPLACE", ""), 0),
        case("a conftest that passes all", "adversarial", NEIGHBOURS, solution(block("conftest.py", "", PASS_ALL)), 0),
        case("an edit of the tests", "adversarial", NEIGHBOURS, solution(tests), 0),
        case("leaving before the tests", "adversarial", NEIGHBOURS,
             module_added(NEIGHBOURS, "import os\n\nos._exit(0)"), 0),
        case("leaving as if tests had failed", "adversarial", NEIGHBOURS,
             module_added(NEIGHBOURS, "import os\n\nos._exit(1)"), 0),
        case("reports without errors", "adversarial", NEIGHBOURS, module_added(NEIGHBOURS, PATCHED_REPORTS), 0),
        case("a script that always says so", "zero", NEIGHBOURS, script("import sys", "sys.exit(2)"), 0, "repro-gen"),
        case("a script that says nothing", "zero", NEIGHBOURS, script("import intervals"), 0, "repro-gen"),
        case("no script", "malformed", NEIGHBOURS, "```\nsys.exit(2)\n```", 0, "repro-gen"),
        case("a script that only reads the code", "adversarial", NEIGHBOURS, READS_TEXT, 0, "repro-gen"),
    ]  # fmt: skip
