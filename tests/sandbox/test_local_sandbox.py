"""Runs of programs in the boundaries of this machine: how each way of ending is told, and what is left of a run."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from palestra.core.errors import Failure, PalestraError
from palestra.core.sandbox import Input, Limits, Program, Run
from palestra.sandbox import nursery
from palestra.sandbox import open as opening
from palestra.sandbox.canaries import Canary
from palestra.sandbox.local import LocalSandbox
from palestra.sandbox.nursery import Kind, Nursery
from palestra.sandbox.open import Boundary, boundary_report, open_sandbox, probe
from palestra.sandbox.results import Refused

SHORT = Limits(cpu_s=0.5, wall_s=3, memory_mb=128, output_bytes=1000)


def in_sandbox(work: Callable[[LocalSandbox], Awaitable[Any]], kind: Kind = "namespaces") -> Any:
    async def run() -> Any:
        if kind != "weak" and not (boundary := await probe(kind)).works:
            pytest.skip(f"no {kind} here: {boundary.failed}")
        sandbox = LocalSandbox(kind, 1)
        try:
            return await work(sandbox)
        finally:
            await sandbox.close()

    return asyncio.run(run())


def run_all(codes: list[str], limits: Limits = SHORT, kind: Kind = "namespaces", stdin: str = "5\n") -> list[Run]:
    async def work(sandbox: LocalSandbox) -> list[Run]:
        return [await sandbox.run(Program(code), Input(stdin), limits=limits) for code in codes]

    return in_sandbox(work, kind)


@pytest.mark.parametrize("kind", ["namespaces", "landlock", "weak"])
def test_every_way_of_ending(kind: Kind) -> None:
    ends = {
        "print(int(input()) ** 2)": ("ok", 0),
        "import sys; sys.exit(3)": ("ok", 3),
        "1 / 0": ("raised", 1),
        "def f(:": ("raised", 1),
        "import os; os._exit(0)": ("died", 0),
        "import os; os.kill(os.getpid(), 11)": ("died", -11),
        "while True: pass": ("cpu_limit", None),
        "import time; time.sleep(60)": ("wall_limit", None),
        "x = [0] * 10 ** 9": ("memory_limit", None),
    }
    runs = run_all(list(ends), kind=kind)
    assert [(run.status, run.exit_code) for run in runs] == list(ends.values())
    assert runs[0].output == "25\n"
    assert runs[2].error == "ZeroDivisionError: division by zero"
    assert runs[2].error_repr == "ZeroDivisionError('division by zero')"
    assert 'File "solution.py", line 1' in (runs[2].trace or "")


def test_output_is_cut_and_said_to_be() -> None:
    (run,) = run_all(["import sys\nprint('x' * 10 ** 6)\nprint('e' * 9, file=sys.stderr)"])
    assert run.ok
    assert run.output == "x" * 1000
    assert run.errors == "e" * 9 + "\n"
    assert run.notes == ("standard output cut after 1000 bytes",)


@pytest.mark.parametrize(
    "read",
    ["sys.stdin.read()", "sys.stdin.buffer.read().decode()", "''.join(sys.stdin)", "open(0).read()",
     "''.join(iter(lambda: os.read(0, 1 << 16).decode(), ''))", "open('/dev/stdin').read()"],
)  # fmt: skip
def test_standard_input_is_a_real_one(read: str) -> None:
    (run,) = run_all([f"import os, sys\nprint(len({read}))"], stdin="0123456789\n" * 20_000)
    assert run.output == "220000\n"


def test_calls_return_values_of_exact_types_and_objects_are_refused() -> None:
    code = "class Odd: pass\nclass Solution:\n    def f(self, x):\n        return Odd() if x == 3 else (x, {1: 2.0})"

    async def work(sandbox: LocalSandbox) -> list[Run]:
        inputs = [Input(arguments=(value,)) for value in (1, "a", 3, None)]
        return [run async for run in sandbox.runs(Program(code, call="f"), inputs, limits=SHORT)]

    first, second, refused, last = in_sandbox(work)
    assert [first.value, second.value, last.value] == [(1, {1: 2.0}), ("a", {1: 2.0}), (None, {1: 2.0})]
    assert isinstance(refused.value, Refused)
    assert refused.value != refused.value.reason


@pytest.mark.parametrize("isolated", [True, False])
def test_many_inputs_in_order_whatever_becomes_of_one(isolated: bool) -> None:
    code = "import os\nn = int(input())\nprint(n, flush=True)\nif n == 2: os._exit(1)\nif n == 3: 1 / 0"

    async def work(sandbox: LocalSandbox) -> list[Run]:
        inputs = [Input(f"{number}\n") for number in range(6)]
        return [run async for run in sandbox.runs(Program(code), inputs, limits=SHORT, isolated=isolated)]

    runs = in_sandbox(work)
    assert [run.status for run in runs] == ["ok", "ok", "died", "raised", "ok", "ok"]
    assert [run.output for run in runs] == [f"{number}\n" for number in range(6)]


def test_an_iterator_that_is_closed_ends_the_runs_and_the_sandbox_goes_on() -> None:
    async def work(sandbox: LocalSandbox) -> tuple[str, str]:
        runs = sandbox.runs(
            Program("import time\nn = int(input())\nprint(n)\ntime.sleep(60 * n)"), [Input("0"), Input("1")]
        )
        first = await anext(runs)
        await asyncio.wait_for(runs.aclose(), 10)
        return first.output, (await sandbox.run(Program("print(1)"))).output

    assert in_sandbox(work) == ("0\n", "1\n")


def test_a_run_leaves_nothing_to_the_next() -> None:
    leave = (
        "import builtins, os, sys\nbuiltins.print = None\nsys.modules['math'] = None\nos.makedirs('a/b')\n"
        "open('a/b/c', 'w').write('x')\nopen('/tmp/t', 'w').close()\nopen('/dev/shm/s', 'w').close()\n"
        "os.chmod('a/b', 0)\nos.chmod('/tmp', 0)\n"
        "if os.fork() == 0:\n    os.setsid()\n    while True: pass"
    )
    look = (
        "import os, math\nprint([os.listdir(f) for f in ('.', '/tmp', '/dev/shm')], "
        "len([p for p in os.listdir('/proc') if p.isdigit()]))"
    )
    several = SHORT.model_copy(update={"processes": 3})
    left, seen = run_all([leave, look], several)
    assert left.status == "ok"
    assert seen.output == "[[], [], []] 2\n"


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.write(3, b'R' + (16).to_bytes(4, 'little') + b'{\"status\": \"o\"}')\nos._exit(0)",
        "import atexit, os\natexit.register(os._exit, 0)",
        "import os, sys\nclass Out:\n    def flush(self): os._exit(0)\n    closed = False\nsys.stdout = Out()",
        "import ctypes\nctypes.string_at(0)",
    ],
)
def test_what_did_not_end_by_itself_is_never_ok(code: str) -> None:
    (run,) = run_all([code])
    assert run.status == "died"


def test_a_program_cannot_pretend_that_the_sandbox_failed() -> None:
    (run,) = run_all(["import os\nos._exit(70)"])
    assert (run.status, run.exit_code) == ("died", 70)


def test_a_sandbox_that_is_killed_is_a_failure_and_is_replaced() -> None:
    async def work(sandbox: LocalSandbox) -> str:
        await sandbox.run(Program("pass"))
        (nursery,) = sandbox.pools.plain.all
        running = asyncio.create_task(sandbox.run(Program("import time; time.sleep(60)")))
        await asyncio.sleep(0.1)
        nursery.process.kill()
        with pytest.raises(Failure, match="sandbox"):
            await running
        return (await sandbox.run(Program("print(2)"))).output

    assert in_sandbox(work) == "2\n"


def test_more_in_flight_than_sandboxes_are_served_in_turn() -> None:
    async def work(sandbox: LocalSandbox) -> list[str]:
        runs = await asyncio.gather(*(sandbox.run(Program("print(input())"), Input(str(n))) for n in range(40)))
        return [run.output for run in runs]

    assert in_sandbox(work) == [f"{number}\n" for number in range(40)]


def test_closing_leaves_no_process_descriptor_or_folder() -> None:
    async def work(sandbox: LocalSandbox) -> Nursery:
        await sandbox.run(Program("pass"))
        (nursery,) = sandbox.pools.plain.all
        return nursery

    in_sandbox(work, "weak")
    before = len(os.listdir("/dev/fd"))
    nursery = in_sandbox(work, "weak")
    assert nursery.process.returncode is not None
    assert not Path(nursery.scratch).exists()
    assert len(os.listdir("/dev/fd")) <= before


def test_a_missing_boundary_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {kind: Boundary(kind, (Canary("write outside", False, "it did"),)) for kind in opening.STRONG}
    monkeypatch.setattr(opening, "probed", failed.__getitem__)
    with pytest.raises(PalestraError, match=r"(?s)write outside: it did.*--sandbox weak") as error:
        asyncio.run(open_sandbox())
    assert error.value.code == "sandbox-missing"


def test_the_report_names_what_the_boundary_in_force_does_not_stop() -> None:
    report = asyncio.run(boundary_report())
    assert report[-1].not_stopped
    assert report[-1].works or report[-1].backend == "weak"


@pytest.mark.parametrize("kind", ["namespaces", "weak"])
def test_a_workspace_keeps_files_between_commands_and_nothing_runs_on(kind: Kind) -> None:
    async def work(sandbox: LocalSandbox) -> None:
        async with sandbox.workspace({"a/b.txt": b"one\n"}) as workspace:
            first = await workspace.run("cat a/b.txt - > c; sleep 300 & exit 70", stdin="two\n")
            assert (first.status, first.exit_code) == ("ok", 70)
            assert await workspace.read("c") == b"one\ntwo\n"
            second = await workspace.run(["/bin/sh", "-c", "echo $X; pwd; cat /proc/[0-9]*/comm | grep -c sleep"],
                                         variables={"X": "y"})  # fmt: skip
            assert second.output.split("\n")[:2] == ["y", workspace.folder]
            if kind == "namespaces":
                assert second.output.split("\n")[2] == "0"
            assert (await workspace.run("kill -9 $$")).status == "died"

    in_sandbox(work, kind)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "link", "folder/x", "pipe", "none"])
def test_paths_do_not_lead_out_of_a_workspace(path: str) -> None:
    async def work(sandbox: LocalSandbox) -> None:
        async with sandbox.workspace({}) as workspace:
            await workspace.run(f"ln -s /etc/passwd link; ln -s {tempfile.gettempdir()} folder; mkfifo pipe")
            with pytest.raises(FileNotFoundError):
                await workspace.read(path)

    in_sandbox(work)


def test_an_environment_below_tmp_is_shown_and_nothing_can_be_left_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        (shown / "deep").mkdir()
        (shown / "deep" / "module.py").write_text("word = 'seen'\n")
        shown.chmod(0o755)
        usual = nursery.prefixes
        monkeypatch.setattr(
            nursery, "prefixes", lambda *, with_packages: [*usual(with_packages=with_packages), str(shown / "deep")]
        )
        reading = f"print(open('{shown}/deep/module.py').read(), end='')"
        leaving = (
            "import os\n"
            f"for path in ('{shown}/deep/left', '{shown}/left'):\n"
            "    try: open(path, 'w')\n"
            "    except OSError as error: print(error.strerror)\n"
            "open('/tmp/left', 'w').close()\nprint(sorted(os.listdir('/tmp')))"
        )
        first, second, third = run_all([reading, leaving, reading])
        assert first.output == third.output == "word = 'seen'\n"
        assert second.output.splitlines() == ["Read-only file system"] * 2 + [str(["left", shown.name])]
    finally:
        shutil.rmtree(shown)
