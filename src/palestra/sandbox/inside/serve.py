"""The first process of a sandbox: takes requests of Palestra one at a time, and answers with what became of them."""

import importlib
import json
import os
import shutil
import signal
import socket
import struct
from functools import partial
from typing import Any

from . import files, limits, program, watch

HEAD = struct.Struct("<cI")
"""Kind of a message and the length of its body."""
OUTCOME = struct.Struct("<BiddBIII")
"""Limit, exit status as of `wait`, CPU seconds, wall seconds, a set of bits, and three lengths: of what the run told,
of its output, of its errors. Bits: 1 for cut output, 2 for cut errors, 4 if the code was begun."""
COMMAND_PROCESSES = 64
"""What a command may start besides what its limits say: a shell starts a process for almost everything."""
CHANNEL = 5
"""The descriptor that a cell talks to Palestra on."""


class Server:
    """Serves one socket until its other end is closed."""

    def __init__(self, control: socket.socket, boundary: watch.Boundary, scratch: list[str]) -> None:
        self.control = control
        self.boundary = boundary
        self.scratch = scratch
        self.is_clean = True

    def serve(self) -> None:
        self.send(b"b", json.dumps({"folder": self.boundary.folder}).encode())
        while True:
            kind, body, channel = self.receive()
            if kind == b"X":
                self.send(b"d")
                continue
            (length,) = struct.unpack_from("<I", body)
            head = json.loads(bytes(body[4 : 4 + length]))
            try:
                self.act(kind, channel, head, memoryview(body)[4 + length :])
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError, FileExistsError) as error:
                self.send(b"e", type(error).__name__.encode(), b" ", str(error).encode())
            except OSError as error:
                # No process, no pipe: nothing of the code's doing. The sandbox may be full of something: start afresh.
                self.send(b"f", str(error).encode())
                os._exit(1)
            if channel >= 0:
                os.close(channel)

    def act(self, kind: bytes, channel: int, head: dict[str, Any], body: memoryview) -> None:
        if kind == b"W":
            self.run_command(head, body)
        elif kind == b"P":
            files.write_all(self.boundary.folder, head["files"], body)
            self.send(b"d")
        elif kind == b"G":
            self.send(b"g", files.read(self.boundary.folder, head["path"]))
        elif kind == b"R":
            self.run_program(head, body)
            self.clean()
        else:
            self.run_cell(channel, head, body)
            self.clean()

    def receive(self) -> tuple[bytes, bytearray, int]:
        """The next message, and the descriptor that came with it, or -1. Ends this process at the end of the stream."""
        head, descriptors, _, _ = socket.recv_fds(self.control, HEAD.size, 1)
        while len(head) < HEAD.size:
            more = self.control.recv(HEAD.size - len(head)) if head else b""
            if not more:
                os._exit(0)
            head += more
        kind, length = HEAD.unpack(head)
        body = bytearray(length)
        view = memoryview(body)
        while view:
            count = self.control.recv_into(view)
            if not count:
                os._exit(0)
            view = view[count:]
        return kind, body, descriptors[0] if descriptors else -1

    def send(self, kind: bytes, *parts: bytes) -> None:
        self.control.sendall(b"".join((HEAD.pack(kind, sum(map(len, parts))), *parts)))

    def outcome(self, seen: watch.Watch, wall_s: float, told: bytes) -> None:
        out, out_cut = seen.out.take()
        errors, errors_cut = seen.errors.take()
        cut = (1 if out_cut else 0) | (2 if errors_cut else 0) | (4 if seen.is_ready() else 0)
        sizes = len(told), len(out), len(errors)
        head = OUTCOME.pack(seen.limit, seen.status, seen.cpu_s, wall_s, cut, *sizes)
        self.send(b"r", head, told, out, errors)

    def run_program(self, head: dict[str, Any], body: memoryview) -> None:
        """Each input in a process of its own, or all of them in one until it dies."""
        sizes = [int(size) for size in head["sizes"]]
        told = {"code": str(body[: sizes[0]], "utf-8", "surrogatepass"), "call": head["call"]}
        inputs: list[memoryview] = []
        offset = sizes[0]
        for size in sizes[1:]:
            inputs.append(body[offset : offset + size])
            offset += size
        compiled = b""
        while inputs:
            count = 1 if head["isolated"] else len(inputs)
            run = ProgramRun(self, told, inputs[:count], compiled, limits.RunLimits(head["limits"]))
            done = run.finish(tell_compiled=not compiled and len(inputs) > count)
            if done < 0:
                return
            compiled = compiled or run.compiled
            inputs = inputs[done:]
            if inputs:
                self.clean()

    def run_cell(self, channel: int, head: dict[str, Any], body: memoryview) -> None:
        """A process that talks to Palestra by itself, until it ends or Palestra ends it."""
        seen = watch.Watch(limits.RunLimits(head["limits"]), b"", self.boundary)
        entry = importlib.import_module(f"{__package__}.{head['entry']}").main
        options = bytes(body)

        def act() -> None:
            channel_socket = socket.socket(fileno=CHANNEL)
            entry(channel_socket, options)

        seen.start(act, keep=channel)
        while seen.step():
            pass
        seen.end()
        self.outcome(seen, seen.wall_s(), b"")

    def run_command(self, head: dict[str, Any], body: memoryview) -> None:
        """A program of the system in the working folder, which stays for the next one."""
        told = dict(head["limits"], processes=head["limits"]["processes"] + COMMAND_PROCESSES)
        seen = watch.Watch(limits.RunLimits(told), bytes(body), self.boundary)
        seen.start(partial(execute, head["command"], os.environ | head["variables"]), alone=False)
        while seen.step():
            pass
        seen.end()
        self.outcome(seen, seen.wall_s(), b"")

    def clean(self) -> None:
        """Leave nothing that a run wrote to the next one."""
        for folder in self.scratch:
            os.chmod(folder, 0o1777)  # noqa: S103 - one user lives here
            for name in os.listdir(folder):
                path = f"{folder}/{name}"
                if os.path.ismount(path):
                    # A folder of the machine that lies here; nothing can be written to it.
                    continue
                try:
                    if os.path.isdir(path) and not os.path.islink(path):
                        open_up(path)
                        shutil.rmtree(path)
                    else:
                        os.unlink(path)
                except (OSError, RecursionError):
                    # What cannot be removed is left behind with this sandbox.
                    os._exit(0)


class ProgramRun:
    """One process of a program, for one input or for several."""

    def __init__(
        self,
        server: Server,
        told: dict[str, Any],
        inputs: list[memoryview],
        compiled: bytes,
        run_limits: limits.RunLimits,
    ) -> None:
        self.server = server
        self.told = told
        self.inputs = inputs
        self.compiled = compiled
        feed = b"" if told["call"] else bytes(inputs[0])
        self.seen = watch.Watch(run_limits, feed, server.boundary)

    def finish(self, *, tell_compiled: bool) -> int:
        """The number of inputs that were dealt with, or -1 if Palestra wants no more."""
        given = [bytes(one) for one in self.inputs]
        seen = self.seen
        seen.start(partial(program.run, self.told, given, self.compiled, tell_compiled=tell_compiled))
        done = 0
        while seen.step():
            while done < len(given) - 1 and (told := self.next_told()) is not None:
                seen.cpu_s = seen.used_s()
                seen.take_what_is_there()
                self.server.outcome(seen, seen.wall_s(), told)
                seen.renew()
                done += 1
                os.write(seen.go, b"g")
        seen.end()
        if seen.limit == watch.CANCELLED:
            return -1
        seen.cpu_s -= seen.cpu_before_s
        self.server.outcome(seen, seen.wall_s(), self.next_told() or b"")
        return done + 1

    def next_told(self) -> bytes | None:
        """What the run has told of an input; notes what it told of the compiled program on the way."""
        kept = self.seen.told.kept
        while len(kept) >= 5:
            end = 5 + int.from_bytes(kept[1:5], "little")
            if len(kept) < end:
                return None
            kind, body = kept[:1], bytes(kept[5:end])
            del kept[:end]
            self.seen.was_ready = True
            if kind == b"R":
                return body
            if kind != b"C":
                continue
            # Only the first message is made before the program's own code runs.
            self.compiled = self.compiled or body
        return None


def execute(command: list[str], variables: dict[str, str]) -> None:
    """Become the command, as a shell would start it."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, variables)  # noqa: S606
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def open_up(path: str) -> None:
    """Make folders readable again, whatever was done to their modes."""
    os.chmod(path, 0o700)
    for folder, names, _ in os.walk(path):
        for name in names:
            if not os.path.islink(f"{folder}/{name}"):
                os.chmod(f"{folder}/{name}", 0o700)
