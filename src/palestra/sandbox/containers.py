"""Workspaces in containers, for environments whose tasks come with an image."""

import asyncio
import io
import secrets
import shutil
import tarfile
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from errno import EFBIG
from math import ceil
from pathlib import PurePosixPath

from palestra.core.errors import Failure, PalestraError
from palestra.core.sandbox import DEFAULT_LIMITS, Limits, Run, RunStatus
from palestra.sandbox.command import Ended, run_command
from palestra.sandbox.container_commands import EMPTY_FOLDER, Container, Runtime, known_runtimes

PROBE_S = 20.0
START_S = 120.0
COPY_S = 120.0
STOP_S = 60.0
LARGEST_FILE_BYTES = 64 << 20
NO_FILE_CODE = 44
CPU_LIMIT_CODE = 128 + 24
"""Of a shell whose program was ended by SIGXCPU."""
KILLED_CODE = 128 + 9
RUNTIME_CODE = 125
"""With which docker and podman say that they themselves failed."""
LIMITED = 'ulimit -S -t "$1"; ulimit -H -t "$2"; ulimit -f "$3"; ulimit -n "$4"; ulimit -c 0; shift 4; exec "$@"'
"""A shell that gives up what a run may not use, then becomes the program."""
READ = f'test -f "$1" || exit {NO_FILE_CODE}; exec cat -- "$1"'


class Containers:
    """Opens workspaces with the first container runtime that works here."""

    def __init__(self, runtimes: Sequence[Runtime] | None = None) -> None:
        self.candidates = known_runtimes() if runtimes is None else tuple(runtimes)
        self.probing = asyncio.Lock()
        self.found: Runtime | None = None

    @asynccontextmanager
    async def workspace(
        self, files: Mapping[str, bytes], *, image: str, folder: str | None = None
    ) -> AsyncGenerator["ContainerWorkspace"]:
        """A container of an image that is here already, with these files in its folder, killed in the end.

        Without a `folder` of the image, files are in an empty one and everything else is read-only.
        Raises PalestraError (`image-unavailable`) without a runtime or the image, Failure (`sandbox`) if the container
        breaks.
        """
        runtime = await self.runtime(image)
        with tempfile.TemporaryDirectory(prefix="palestra-", ignore_cleanup_errors=True) as overlay:
            name = f"palestra-{secrets.token_hex(8)}"
            container = Container(name, image, folder or EMPTY_FOLDER, overlay)
            workspace = ContainerWorkspace(runtime, container)
            try:
                await workspace.start()
                await workspace.put(files)
                yield workspace
            except BaseException:
                # Also if it did not start: it may have got as far as having a name. What broke is what is reported.
                with suppress(Failure):
                    await workspace.remove()
                raise
            await workspace.remove()

    async def runtime(self, image: str) -> Runtime:
        async with self.probing:
            if self.found is None:
                self.found = await self.probe(image)
        here = await run_command(self.found.has_image(image), deadline_s=PROBE_S)
        if here.exit_code != 0:
            message = f"{self.found.program} has no image {image!r}: {here.words}"
            fix = f"Get it with `{self.found.fetching(image)}`, then repeat the command."
            raise PalestraError("image-unavailable", message, fix=fix)
        return self.found

    async def probe(self, image: str) -> Runtime:
        reasons: list[str] = []
        for runtime in self.candidates:
            if shutil.which(runtime.program) is None:
                reasons.append(f"{runtime.program} is not installed")
                continue
            ended = await run_command(runtime.probe(), deadline_s=PROBE_S)
            if ended.exit_code == 0:
                return runtime
            reasons.append(f"{runtime.program} does not work ({'no answer' if ended.is_late else ended.words})")
        message = f"no container runtime can run the image {image!r}: {'; '.join(reasons)}"
        raise PalestraError("image-unavailable", message)


class ContainerWorkspace:
    """A Workspace in one container."""

    def __init__(self, runtime: Runtime, container: Container) -> None:
        self.runtime = runtime
        self.container = container
        self.ceilings = (DEFAULT_LIMITS.memory_mb, DEFAULT_LIMITS.processes)

    @property
    def folder(self) -> str:
        return self.container.folder

    async def start(self) -> None:
        memory_mb, processes = self.ceilings
        command = self.runtime.start(self.container, memory_mb=memory_mb, processes=processes)
        await self.demand(command, "start", START_S)

    async def remove(self) -> None:
        # What cancels the episode must not leave its container behind.
        await asyncio.shield(self.demand(self.runtime.remove(self.container), "remove", STOP_S))

    async def run(
        self,
        command: str | Sequence[str],
        *,
        limits: Limits = DEFAULT_LIMITS,
        stdin: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> Run:
        await self.narrow(limits)
        words = limited(["/bin/sh", "-c", command] if isinstance(command, str) else list(command), limits)
        line = self.runtime.execute(self.container, words, variables or {})
        try:
            ended = await run_command(
                line, deadline_s=limits.wall_s, stdin=stdin.encode(), keep_bytes=limits.output_bytes
            )
        finally:
            await asyncio.shield(self.kill_runs())
        if ended.exit_code == RUNTIME_CODE:
            raise Failure("sandbox", f"{self.runtime.program} could not run the command: {ended.words}", retryable=True)
        return run_of(ended, limits)

    async def narrow(self, limits: Limits) -> None:
        """Have the container's ceilings be those of the next run."""
        wanted = (limits.memory_mb, limits.processes)
        if wanted != self.ceilings:
            command = self.runtime.update(self.container, memory_mb=wanted[0], processes=wanted[1])
            await self.demand(command, "limit", STOP_S)
            self.ceilings = wanted

    async def kill_runs(self) -> None:
        command = self.runtime.kill_runs(self.container)
        if command is not None:
            ended = await run_command(command, deadline_s=STOP_S)
            if b"alive" not in ended.output:
                message = f"the container of {self.container.image!r} ended during a run: {ended.words}"
                raise Failure("sandbox", message, retryable=True)

    async def write(self, path: str, content: bytes) -> None:
        await self.put({path: content})

    async def put(self, files: Mapping[str, bytes]) -> None:
        if files:
            command = self.runtime.execute(self.container, ["tar", "-x", "-o", "-f", "-"], {})
            await self.demand(command, "write to", COPY_S, stdin=archive(files))

    async def read(self, path: str) -> bytes:
        words = ["/bin/sh", "-c", READ, "sh", inside(path)]
        command = self.runtime.execute(self.container, words, {})
        ended = await run_command(command, deadline_s=COPY_S, keep_bytes=LARGEST_FILE_BYTES)
        if ended.exit_code == NO_FILE_CODE:
            raise FileNotFoundError(path)
        if ended.dropped:
            raise OSError(EFBIG, f"more than {LARGEST_FILE_BYTES} bytes", path)
        if ended.exit_code != 0:
            raise Failure("sandbox", f"{path} could not be read from the container: {ended.words}", retryable=True)
        return ended.output

    async def demand(self, command: list[str] | None, step: str, deadline_s: float, *, stdin: bytes = b"") -> None:
        """Run a step that must succeed. Raises Failure (`sandbox`)."""
        if command is None:
            return
        ended = await run_command(command, deadline_s=deadline_s, stdin=stdin)
        if ended.exit_code != 0:
            why = f"no answer within {deadline_s:g} s" if ended.is_late else ended.words
            message = f"{self.runtime.program} could not {step} the container of {self.container.image!r}: {why}"
            raise Failure("sandbox", message, retryable=True)


def limited(words: list[str], limits: Limits) -> list[str]:
    """A command that gives up what it may not use and then runs `words`. Files are counted in blocks of 512 bytes."""
    cpu_s = ceil(limits.cpu_s)
    numbers = (cpu_s, cpu_s + 1, limits.file_size_mb * 2048, limits.open_files)
    return ["/bin/sh", "-c", LIMITED, "sh", *map(str, numbers), *words]


def run_of(ended: Ended, limits: Limits) -> Run:
    statuses: dict[int | None, RunStatus] = {None: "wall_limit", CPU_LIMIT_CODE: "cpu_limit", KILLED_CODE: "died"}
    status = statuses.get(ended.exit_code, "ok")
    notes = [f"{name} cut after {limits.output_bytes} bytes" for name in ended.dropped]
    if ended.is_late:
        notes.append(f"killed after {limits.wall_s:g} s")
    return Run(
        status,
        output=ended.output.decode(errors="replace"),
        errors=ended.errors.decode(errors="replace"),
        exit_code=ended.exit_code,
        wall_s=ended.wall_s,
        truncated=bool(ended.dropped),
        notes=tuple(notes),
    )


def inside(path: str) -> str:
    """A path below the folder, in its shortest form. Raises ValueError for one that leads out of it."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise ValueError(f"{path!r} is not a path inside the workspace")
    # A name that starts with a dash would be read as an option.
    return "./" + "/".join(parts)


def archive(files: Mapping[str, bytes]) -> bytes:
    """The files as a tar archive, with the folders they are in."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(inside(path))
            member.size, member.mode = len(content), 0o755 if content.startswith(b"#!") else 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
