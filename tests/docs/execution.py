"""Running the blocks of a page, in order, in one empty folder: what a reader does who follows it."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.region import Lexeme

import palestra
from tests.docs.blocks import Block, blocks_of
from tests.docs.content import problem_of_content
from tests.docs.output import normalised

BLOCK_TIMEOUT_S = 60.0
WAYS_OUT = ("output", "no-run")

# What a block exports and where it goes holds for the next one, as in a reader's shell.
SCRIPT = """set -euo pipefail
trap 'status=$?; {{ export -p; printf "cd %q\\n" "$PWD"; }} > "{state}"; exit $status' EXIT
if [ -f "{state}" ]; then source "{state}"; fi
{text}
"""


class PageRun:
    """One page at work: its folder, its Python names, and what its last block printed."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home
        self.printed = ""
        self.groups: list[int] = []
        self.outputs: list[tuple[Block, str]] = []
        """Output blocks that are not what was printed, and what was."""

    def __call__(self, document: Document) -> Iterable[Region]:
        """Sybil's parser: every block of the page is an example."""
        starts = line_starts(document.text)
        for block in blocks_of(Path(document.path)):
            start, end = starts[block.line - 1], starts[min(block.end_line, len(starts) - 1)]
            region = Region(start, max(end, start + 1), Lexeme(block.text, 0, 0), self.evaluate)
            region.lexemes = {"block": block}
            yield region

    def evaluate(self, example: Example) -> str | None:
        """What is wrong with a block, or None."""
        block: Block = example.region.lexemes["block"]
        if "no-run" in block.marks:
            return None if block.marks["no-run"] else f"{block.place}: no-run needs a reason"
        if "file" in block.marks:
            return self.write(block)
        if block.language == "python":
            return self.run_python(example, block)
        if block.language == "bash":
            return self.run_bash(block)
        if block.language == "text" and "output" in block.marks:
            return self.compare(block)
        return problem_of_content(block)

    def write(self, block: Block) -> str | None:
        path = (self.folder / block.marks["file"]).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            return f"{block.place}: {block.marks['file']} is outside the page's folder"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        return problem_of_content(block) if block.language in ("json", "jsonl", "toml", "yaml") else None

    def run_python(self, example: Example, block: Block) -> str | None:
        with contextlib.chdir(self.folder), bounded(), contextlib.redirect_stdout(io.StringIO()) as printed:
            PythonEvaluator()(example)
        self.printed = printed.getvalue()
        return None

    def run_bash(self, block: Block) -> str | None:
        expected = int(block.marks.get("fails", "0"))
        script = SCRIPT.format(state=self.home / ".state", text=block.text)
        # Files, not pipes: a server that a block leaves behind would keep a pipe open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                ["bash", "-c", script], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output if expected else errors, start_new_session=True,
            )  # fmt: skip
            self.groups.append(process.pid)
            try:
                status = process.wait(BLOCK_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                return f"{block.place}: not done after {BLOCK_TIMEOUT_S:g} s: {block.text}"
            self.printed, problems = read_all(output), read_all(errors)
        if status != expected:
            return f"{block.place}: exit code {status}, not {expected}: {block.text}{self.printed}{problems}"
        return None

    def environment(self) -> dict[str, str]:
        """A reader's shell, with `palestra` in the path and nothing of this machine's configuration."""
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
        # The commands run the source that is under test, wherever the installed one points to.
        source = str(Path(palestra.__file__).parents[1])
        return {**kept, "PATH": path, "PYTHONPATH": source, "HOME": str(self.home), "COLUMNS": "120"}

    def compare(self, block: Block) -> str | None:
        only_shape = block.marks["output"] == "numbers vary"
        if normalised(block.text, only_shape=only_shape) == normalised(self.printed, only_shape=only_shape):
            return None
        self.outputs.append((block, self.printed))
        return f"{block.place}: shown:\n{block.text}\nprinted:\n{self.printed}\n(--update-golden rewrites the block)"

    def end(self) -> None:
        """End what the page's commands left running."""
        for group in self.groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


def read_all(file: io.BufferedRandom) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


@contextlib.contextmanager
def bounded() -> Generator[None]:
    """Interrupt the block at its deadline."""

    def too_late(number: int, frame: object) -> None:
        raise TimeoutError(f"not done after {BLOCK_TIMEOUT_S:g} s")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, BLOCK_TIMEOUT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def problems_of(page: Path, folder: Path, *, update_outputs: bool = False) -> list[str]:
    """Run a page; what is wrong with its blocks. After a block that failed the rest is not run."""
    for name in ("work", "home"):
        (folder / name).mkdir()
    run = PageRun(folder / "work", folder / "home")
    try:
        document = Sybil([run]).parse(page)
        found = list(problems_in_order(document, run, update_outputs=update_outputs))
    finally:
        run.end()
    if update_outputs:
        rewrite(page, run.outputs)
    return found


def problems_in_order(document: Document, run: PageRun, *, update_outputs: bool) -> Iterator[str]:
    for example in document.examples():
        before = len(run.outputs)
        try:
            problem = run.evaluate(example)
        except Exception as error:
            problem = f"{example.region.lexemes['block'].place}: {type(error).__name__}: {error}"
        if problem is not None and not (update_outputs and len(run.outputs) > before):
            yield problem
            return


def rewrite(page: Path, outputs: list[tuple[Block, str]]) -> None:
    """Put what was printed into the output blocks of a page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for block, printed in reversed(outputs):
        fence = lines[block.line - 1]
        indent = fence[: len(fence) - len(fence.lstrip())]
        lines[block.line : block.end_line - 1] = [
            f"{indent}{line}".rstrip() for line in printed.strip("\n").split("\n")
        ]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
