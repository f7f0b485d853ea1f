"""A program that takes docker's commands: its containers are folders, and what is executed really runs in them."""

import sys
from pathlib import Path

PROGRAM = """#!{python} -ES
import json, os, shutil, signal, subprocess, sys, time

ROOT, IMAGE = {root!r}, {image!r}
words = sys.argv[1:]
with open(ROOT + "/log.jsonl", "a") as log:
    log.write(json.dumps(words) + "\\n")


def value_of(flag):
    return words[words.index(flag) + 1] if flag in words else None


def end_runs(name):
    with open(ROOT + "/" + name + "/groups") as groups:
        for line in groups:
            try:
                os.killpg(int(line), signal.SIGKILL)
            except ProcessLookupError:
                pass


if os.path.exists(ROOT + "/hangs_at_" + words[0]):
    time.sleep(60)
if words[0] == "info":
    sys.exit("no daemon" if os.path.exists(ROOT + "/is_down") else 0)
if words[:2] == ["image", "inspect"]:
    sys.exit(0 if words[2] == IMAGE else "No such image: " + words[2])
if words[0] == "run":
    name = value_of("--name")
    os.makedirs(ROOT + "/" + name + value_of("--workdir"))
    open(ROOT + "/" + name + "/groups", "w").close()
if words[0] == "rm":
    end_runs(words[-1])
    shutil.rmtree(ROOT + "/" + words[-1])
if words[0] == "exec":
    words, folder, variables = words[1:], "/", dict()
    while words[0].startswith("--"):
        flag = words.pop(0)
        if flag == "--workdir":
            folder = words.pop(0)
        if flag == "--env":
            key, _, value = words.pop(0).partition("=")
            variables[key] = value
    name, *command = words
    if not os.path.isdir(ROOT + "/" + name):
        sys.exit("no container " + name)
    if "kill -9 -1" in command[-1]:
        end_runs(name)
        sys.exit(print("alive"))
    variables["PATH"] = os.environ["PATH"]
    # A session of its own: like a real container's process, it does not end with the client that started it.
    run = subprocess.Popen(command, cwd=ROOT + "/" + name + folder, env=variables, start_new_session=True)
    with open(ROOT + "/" + name + "/groups", "a") as groups:
        print(run.pid, file=groups)
    code = run.wait()
    sys.exit(code if code >= 0 else 128 - code)
"""


def container_program(folder: Path, image: str = "toy:1") -> Path:
    """Write the program into a folder that also holds its containers, and `log.jsonl` with all commands."""
    program = folder / "docker"
    program.write_text(PROGRAM.format(python=sys.executable, root=str(folder), image=image))
    program.chmod(0o755)
    return program
