"""The command lines of container runtimes: what is started, and with which rights taken away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

OWN_PROCESSES = 8
"""What a container needs beside the processes of a run: its first one, and the shells that start and end runs."""
SCRATCH_MB = 512
EMPTY_FOLDER = "/work"
"""Where files are put if no folder of the image is named."""
STAY = "while :; do sleep 3600; done"
"""The first process of a container: it reaps what runs leave, and no signal from inside ends it."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a workspace."""

    name: str
    image: str
    folder: str
    overlay: str
    """A folder of the host for what is written inside, for runtimes that keep nothing themselves."""

    @property
    def is_scratch(self) -> bool:
        """Whether its folder holds nothing of the image, so that everything else can be read-only."""
        return self.folder == EMPTY_FOLDER


class Runtime(Protocol):
    """Command lines of one program. None stands for a step that the program does not need."""

    @property
    def program(self) -> str: ...

    def probe(self) -> list[str]:
        """Exits with 0 if containers can be run at all."""
        ...

    def has_image(self, image: str) -> list[str]:
        """Exits with 0 if the image is here; nothing is fetched, as that could take hours."""
        ...

    def fetching(self, image: str) -> str:
        """What a person runs to get the image."""
        ...

    def start(self, container: Container, *, memory_mb: int, processes: int) -> list[str] | None: ...

    def update(self, container: Container, *, memory_mb: int, processes: int) -> list[str] | None: ...

    def execute(self, container: Container, words: Sequence[str], variables: Mapping[str, str]) -> list[str]: ...

    def kill_runs(self, container: Container) -> list[str] | None:
        """Ends everything that runs left in the container, and prints `alive`."""
        ...

    def remove(self, container: Container) -> list[str] | None:
        """Kills the whole container and deletes what it wrote."""
        ...


@dataclass(frozen=True, slots=True)
class DockerLike:
    """docker and podman."""

    program: str

    def probe(self) -> list[str]:
        return [self.program, "info"]

    def has_image(self, image: str) -> list[str]:
        return [self.program, "image", "inspect", image]

    def fetching(self, image: str) -> str:
        return f"{self.program} pull {image}"

    def start(self, container: Container, *, memory_mb: int, processes: int) -> list[str]:
        command = [self.program, "run", "--detach", "--name", container.name, "--pull", "never"]
        command += ["--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        command += [*ceilings(memory_mb, processes), "--workdir", container.folder]
        if container.is_scratch:
            command += ["--read-only", "--tmpfs", f"{container.folder}:rw,exec,size={SCRATCH_MB}m"]
        command += ["--tmpfs", f"/tmp:rw,exec,size={SCRATCH_MB}m"]  # noqa: S108 - inside the container
        return [*command, "--entrypoint", "/bin/sh", container.image, "-c", STAY]

    def update(self, container: Container, *, memory_mb: int, processes: int) -> list[str]:
        return [self.program, "update", *ceilings(memory_mb, processes), container.name]

    def execute(self, container: Container, words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
        command = [self.program, "exec", "--interactive", "--workdir", container.folder]
        for name, value in variables.items():
            command += ["--env", f"{name}={value}"]
        return [*command, container.name, *words]

    def kill_runs(self, container: Container) -> list[str]:
        return [self.program, "exec", container.name, "/bin/sh", "-c", "kill -9 -1 2>/dev/null; echo alive"]

    def remove(self, container: Container) -> list[str]:
        return [self.program, "rm", "--force", "--volumes", container.name]


def ceilings(memory_mb: int, processes: int) -> list[str]:
    memory = f"{memory_mb}m"
    # Swap is counted with memory: the same number leaves none.
    return ["--memory", memory, "--memory-swap", memory, "--pids-limit", str(processes + OWN_PROCESSES)]


@dataclass(frozen=True, slots=True)
class ApptainerLike:
    """apptainer and singularity: no daemon, each command is a container of its own over one overlay."""

    program: str

    def probe(self) -> list[str]:
        return [self.program, "--version"]

    def has_image(self, image: str) -> list[str]:
        return [self.program, "inspect", image]

    def fetching(self, image: str) -> str:
        return f"{self.program} pull image.sif docker://{image}` and name the file `image.sif"

    def start(self, container: Container, *, memory_mb: int, processes: int) -> None:
        return None

    def update(self, container: Container, *, memory_mb: int, processes: int) -> None:
        return None

    def execute(self, container: Container, words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
        command = [self.program, "exec", "--containall", "--no-home", "--no-privs", "--drop-caps", "all"]
        command += ["--net", "--network", "none", "--overlay", container.overlay, "--pwd", container.folder]
        for name, value in variables.items():
            command += ["--env", f"{name}={value}"]
        return [*command, container.image, *words]

    def kill_runs(self, container: Container) -> None:
        # The process namespace of each command ends with it.
        return None

    def remove(self, container: Container) -> None:
        return None


def known_runtimes() -> tuple[Runtime, ...]:
    """Those that are tried, in this order."""
    return DockerLike("docker"), DockerLike("podman"), ApptainerLike("apptainer"), ApptainerLike("singularity")
