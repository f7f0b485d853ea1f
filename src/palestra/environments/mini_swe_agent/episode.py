"""The repository of an episode, and the commands that are run in it."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import MappingProxyType

from palestra.core.errors import Failure
from palestra.core.sandbox import Limits, Run, Sandbox, Workspace

TESTBED = "/testbed"
"""Where images of SWE-bench's kind keep the repository."""

GIT = "git -c user.name=palestra -c user.email=palestra@localhost"
FIRST_COMMIT = f"git init -q -b main && git add -A && {GIT} commit -q -m 'The program as it is'"
COMMIT_DATE = "2024-01-01T00:00:00Z"
"""Of the first commit, so that two episodes of a task show the same."""
VARIABLES = MappingProxyType(
    {
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "MANPAGER": "cat",
        "LESS": "-R",
        "PIP_PROGRESS_BAR": "off",
        "TQDM_DISABLE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_AUTHOR_DATE": COMMIT_DATE,
        "GIT_COMMITTER_DATE": COMMIT_DATE,
    }
)
"""Nothing waits for a reader, draws progress or leaves files behind."""
SETUP_TIMEOUT_S = 120.0


class Repository:
    """A git repository in a workspace, opened by the first command: most conversations are judged without one."""

    def __init__(self, sandbox: Sandbox, files: Mapping[str, str], image: str | None, limits: Limits) -> None:
        self.sandbox = sandbox
        self.files = files
        self.image = image
        self.limits = limits
        self.stack = AsyncExitStack()
        self.workspace: Workspace | None = None

    async def run(self, command: str) -> Run:
        """Run a command in a shell of its own; its output holds also what it wrote to standard error."""
        if self.workspace is None:
            self.workspace = await self.open()
        # As a line of its own, it holds also for what is wrong with the command's syntax.
        # A login shell of an image knows its Python.
        shell = ["bash", "-c" if self.image is None else "-lc", f"exec 2>&1\n{command}"]
        return await self.workspace.run(shell, limits=self.limits, variables=VARIABLES)

    async def open(self) -> Workspace:
        """Raises Failure: `sandbox` if the repository cannot be made, `task-invalid` if it is nowhere."""
        if self.image is not None:
            return await self.stack.enter_async_context(self.sandbox.workspace({}, image=self.image, folder=TESTBED))
        if not self.files:
            message = "the instance does not come with Palestra, and no image is named for it (`image_template`)"
            raise Failure("environment", message, code="task-invalid")
        files = {path: text.encode() for path, text in self.files.items()}
        workspace = await self.stack.enter_async_context(self.sandbox.workspace(files))
        limits = self.limits.model_copy(update={"cpu_s": SETUP_TIMEOUT_S, "wall_s": SETUP_TIMEOUT_S})
        made = await workspace.run(["bash", "-c", FIRST_COMMIT], limits=limits, variables=VARIABLES)
        if not made.ok or made.exit_code != 0:
            raise Failure("sandbox", f"git could not make the repository ({made.status}): {made.errors[-500:]}")
        return workspace

    async def close(self) -> None:
        self.workspace = None
        await self.stack.aclose()
