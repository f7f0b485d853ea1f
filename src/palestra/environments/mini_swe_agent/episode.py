"""The repository of an episode, and the commands that are run in it."""

from contextlib import AsyncExitStack
from types import MappingProxyType

from palestra.core.errors import Failure
from palestra.core.sandbox import Limits, Run, Sandbox, Workspace
from palestra.grading.repositories import Instance
from palestra.grading.repository_runs import GIT_VARIABLES, make_git, repository_files

TESTBED = "/testbed"
"""Where images of SWE-bench's kind keep the repository."""

VARIABLES = MappingProxyType(
    {
        **GIT_VARIABLES,
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "MANPAGER": "cat",
        "LESS": "-R",
        "PIP_PROGRESS_BAR": "off",
        "TQDM_DISABLE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
)
"""Nothing waits for a reader, draws progress or leaves files behind."""


class Repository:
    """A git repository in a workspace, opened by the first command: most conversations are judged without one."""

    def __init__(self, sandbox: Sandbox, instance: Instance | None, image: str | None, limits: Limits) -> None:
        self.sandbox = sandbox
        self.instance = instance
        self.image = image
        self.limits = limits
        self.stack = AsyncExitStack()
        self.workspace: Workspace | None = None

    async def run(self, command: str) -> Run:
        """Run a command in a shell of its own; its output holds also what it wrote to standard error."""
        if self.workspace is None:
            self.workspace = await self.open()
        # A login shell of an image knows its Python. As a line of its own, `exec` holds also for what is wrong with the
        # command's syntax.
        shell = ["bash", "-c" if self.image is None else "-lc", f"exec 2>&1\n{sendable(command)}"]
        return await self.workspace.run(shell, limits=self.limits, variables=VARIABLES)

    async def open(self) -> Workspace:
        """Raises Failure: `sandbox` if the repository cannot be made, `task-invalid` if it is nowhere."""
        if self.image is not None:
            return await self.stack.enter_async_context(self.sandbox.workspace({}, image=self.image, folder=TESTBED))
        if self.instance is None:
            raise not_here()
        workspace = await self.stack.enter_async_context(self.sandbox.workspace(repository_files(self.instance)))
        await make_git(workspace)
        return workspace

    async def close(self) -> None:
        self.workspace = None
        await self.stack.aclose()


def sendable(command: str) -> str:
    """The command with a question mark for each half of a character that JSON can hold and no shell."""
    return command.encode(errors="replace").decode()


def not_here() -> Failure:
    message = "the instance does not come with Palestra, and no image is named for it (`image_template`)"
    return Failure("environment", message, code="task-invalid")
