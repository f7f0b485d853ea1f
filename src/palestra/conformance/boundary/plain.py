"""The host process of cases that are run with no boundary at all: what a careless grader does. Standard library only.

It judges functions in the process of the solution, as such graders do; only its time and its output are bounded.
"""

import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from typing import Any

MAX_PROCESSES = 100
MAX_MEMORY = 2 << 30
MAX_FILE = 64 << 20
MAX_OUTPUT = 16 << 20
TOLD = 1 << 20

IN_PROCESS = """
{code}

expected_outputs = {tests!r}
print("PASS" if all(square(given) == expected for given, expected in expected_outputs) else "FAIL")
"""


def confine() -> None:
    """Keep this machine from harm, not the program from anything else."""
    for name, limit in (
        (resource.RLIMIT_NPROC, MAX_PROCESSES), (resource.RLIMIT_AS, MAX_MEMORY), (resource.RLIMIT_FSIZE, MAX_FILE),
        (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        hard = resource.getrlimit(name)[1]
        bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(name, (bound, bound))


def run(folder: str, code: str, stdin: str, wall_s: float) -> "tuple[bytes, int]":
    """What a program printed, and how many bytes of it were kept."""
    path = os.path.join(tempfile.mkdtemp(dir=folder), "program.py")
    with open(path, "w") as file:
        file.write(code)
    process = subprocess.Popen(
        [sys.executable, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        cwd=os.path.dirname(path), close_fds=False,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(stdin.encode())
        process.stdin.close()
    except BrokenPipeError:
        # It ended before it read.
        pass
    kept, size, deadline = b"", 0, time.monotonic() + wall_s
    while (left := deadline - time.monotonic()) > 0 and size < MAX_OUTPUT:
        if select.select([process.stdout], [], [], left)[0]:
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                break
            kept, size = (kept + data)[:TOLD], size + len(data)
    process.kill()
    process.wait()
    return kept, size


def handle(order: "dict[str, Any]") -> "dict[str, Any]":
    folder, wall_s = order["folder"], order["wall_s"]
    if order["step"] == "honest":
        return {"ok": run(folder, order["code"], "5\n", wall_s)[0].split() == [b"25"]}
    began = time.monotonic()
    outputs: list[bytes] = []
    sizes: list[int] = []
    verdict = "pass"
    if order["kind"] == "grade" and order["mode"] == "fn":
        program = IN_PROCESS.format(code=order["code"], tests=order["tests"])
        given = [(program, "", b"PASS")]
    else:
        tests = order["tests"] if order["kind"] == "grade" else order["tests"][:1]
        given = [(order["code"], f"{number}\n", str(expected).encode()) for number, expected in tests]
    for program, stdin, expected in given:
        output, size = run(folder, program, stdin, wall_s)
        outputs.append(output)
        sizes.append(size)
        verdict = verdict if output.split() == [expected] else "fail"
    text = b"".join(outputs).decode(errors="replace")
    wall = (time.monotonic() - began) / len(given)
    return {"output": text, "kept_bytes": max(sizes), "verdict": verdict, "wall_s": wall}


def main() -> None:
    confine()
    print(json.dumps({"ok": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order["step"] == "end":
            return
        print(json.dumps({"ok": True} if order["step"] == "close" else handle(order)), flush=True)


if __name__ == "__main__":
    main()
