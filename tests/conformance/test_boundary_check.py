"""The check of the boundary can fail: programs without any boundary do each of the things that it looks for."""

import json
from pathlib import Path
from typing import Any

import pytest

from palestra.conformance.boundary.check import CorpusReport, check_case, check_corpus
from palestra.conformance.boundary.corpus import Case, read_corpus
from palestra.core.errors import PalestraError

HARMLESS = "print(int(input()) ** 2)"
LONG_SLEEP = "import subprocess; {start}(['sleep', '61.7'], start_new_session=True, stdout=-3)"


def case(code: str, **detect: Any) -> Case:
    return Case.model_validate({"id": "one", "code": code, "detect": detect})


def graded(code: str, mode: str) -> Case:
    fields = {"id": "one", "kind": "grade", "mode": mode, "code": code, "detect": {"verdict": "fail"}}
    return Case.model_validate(fields)


REACHES = {
    "secret in the environment": ("import os; print(os.environ['SBX_CANARY'])", {"stdout_absent": "{CANARY}"}),
    "secret in a file": ("print(open('{CANARY_FILE}').read())", {"stdout_absent": "{CANARY}"}),
    "secret written elsewhere": (
        "open('{OUT}/copy', 'w').write(open('{CANARY_FILE}').read())", {"stdout_absent": "{CANARY}"},
    ),
    "inherited descriptor": (
        "import os\nfor n in range(3, 20):\n    try: print(os.pread(n, 100, 0))\n    except OSError: pass",
        {"stdout_absent": "{CANARY}"},
    ),
    "host's processes": (
        "import glob; print('LEAK' if any('{MARK}' + '-host' in open(p).read() for p in glob.glob('/proc/*/cmdline'))"
        " else 'no')",
        {"stdout_absent": "LEAK"},
    ),
    "file made": ("open('{OUT}/made', 'w')", {"path_absent": "{OUT}/made"}),
    "file deleted": ("import os; os.unlink('{CANARY_FILE}')", {"path_present": "{CANARY_FILE}"}),
    "file changed": ("open('{CANARY_FILE}', 'w')", {"path_content": "{CANARY_FILE}"}),
    "tcp": ("import socket; socket.create_connection(('127.0.0.1', {PORT}))", {"no_connection": True}),
    "udp": (
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {PORT}))",
        {"no_connection": True},
    ),
    "abstract socket": (
        "import socket; socket.socket(socket.AF_UNIX).connect('\\0' + '{MARK}'); print('CONNECTED')",
        {"stdout_absent": "CONNECTED"},
    ),
    "host process killed": ("import os; os.kill(os.getppid(), 9)", {"runner_alive": True}),
    "everything killed": ("import os; os.kill(-1, 9)", {"helper_alive": True}),
    "daemon left": (LONG_SLEEP.format(start="subprocess.Popen"), {"no_survivor": True}),
    "many processes": (
        "import subprocess, time\nfor _ in range(9): subprocess.Popen(['sleep', '1'])\ntime.sleep(1)",
        {"procs_max": 8},
    ),
    "many threads": (
        "import threading, time\nfor _ in range(9): threading.Thread(target=time.sleep, args=(1,)).start()",
        {"tasks_max": 8},
    ),
    "much memory": ("x = b'x' * (700 << 20)\nimport time; time.sleep(0.5)", {"mem_max": True}),
    "much memory in files": (
        "import os, time\nf = os.memfd_create('x')\nfor n in range(12):\n"
        "    f = os.memfd_create('x'); os.write(f, b'x' * (60 << 20))\ntime.sleep(0.5)",
        {"mem_max": True},
    ),
    "much output": ("print('x' * 5_000_000)", {"output_max": 4_000_000}),
    "large number": ("print('N', 5)", {"stdout_int_max": 4}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", REACHES)
def test_each_mark_is_missed_by_a_program_without_boundary(name: str) -> None:
    code, detect = REACHES[name]
    assert check_case(case(code, **detect), "none")
    assert check_case(case(HARMLESS, **detect), "none") == []


@pytest.mark.slow
def test_a_program_that_breaks_the_next_run_is_not_stopped() -> None:
    code = "import os, signal; os.kill(os.getppid(), signal.SIGSTOP)"
    found = check_case(case(code, wall_max=True), "none")
    assert found == ["the host process was harmed or did not return", "the next honest run failed"]


@pytest.mark.slow
def test_solutions_are_judged_by_their_results() -> None:
    false_equal = "class Liar(int):\n    def __eq__(self, other): return True\ndef square(n): return Liar()"
    assert check_case(graded(false_equal, "fn"), "none") == ["the wrong solution was judged right"]
    # A right solution in a corpus of wrong ones shows that the verdict is not always the same.
    for code, mode in ((HARMLESS, "stdio"), ("def square(n): return n * n", "fn")):
        assert check_case(graded(code, mode), "none") == ["the wrong solution was judged right"]
    for code, mode in (("print(25)", "stdio"), ("def square(n): return 25", "fn"), ("raise SystemExit", "fn")):
        assert check_case(graded(code, mode), "none") == []


@pytest.mark.slow
def test_a_report_counts_categories() -> None:
    cases = [
        case(HARMLESS).model_copy(update={"id": "good", "category": "network"}),
        case("open('{OUT}/made', 'w')", path_absent="{OUT}/made").model_copy(
            update={"id": "bad", "category": "escape"}
        ),
    ]
    seen: list[str] = []
    report = check_corpus(cases, "none", lambda one, found: seen.append(one.id))
    assert seen == ["good", "bad"]
    assert report.to_json() == {
        "n": 2,
        "stopped": 1,
        "failed": ["bad"],
        "backend": "none",
        "reasons": {"bad": ["it made a file on the host"]},
        "categories": {"escape": {"n": 1, "stopped": 0}, "network": {"n": 1, "stopped": 1}},
    }


def test_an_empty_report_has_stopped_nothing() -> None:
    assert CorpusReport("weak").to_json()["stopped"] == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 1"),
        ('{"id": "x", "code": "pass", "detect": {"no_survivors": true}}', "no_survivors"),
        ('{"id": "x", "code": "pass", "detect": {}, "mode": "call"}', "mode"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(PalestraError, match=told) as error:
        list(read_corpus(path))
    assert error.value.code == "invalid-row"


def test_placeholders_are_replaced_everywhere() -> None:
    filled = case("open('{OUT}/x{MARK}')", path_absent="{OUT}/x", no_survivor=True).filled({"OUT": "/o", "MARK": "m"})
    assert filled.code == "open('/o/xm')"
    assert (filled.detect.path_absent, filled.detect.no_survivor) == ("/o/x", True)


def test_the_whole_corpus_can_be_read(shared: Path) -> None:
    path = shared / "data" / "corpus" / "code_attacks.jsonl"
    cases = list(read_corpus(path))
    assert len({one.id for one in cases}) == len(path.read_text().splitlines())
    assert json.loads(path.read_text().splitlines()[0])["id"] == cases[0].id
