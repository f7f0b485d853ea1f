"""The notebook of an episode: cells, what they showed, and the Python that ran them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass

from palestra.core.sandbox import Interpreter, Run

Opening = Callable[[], AbstractAsyncContextManager[Interpreter]]
NOT_RUN = "(not run, as a cell before it failed)"
LIST = "print('\\n'.join(sorted(__import__('os').listdir({directory!r}))))"
KEPT = "Its names are kept."
GONE = "All names are gone, and the files that cells made. Rewrite a cell to run all of them again."


@dataclass(slots=True)
class Cell:
    """One cell of code."""

    code: str
    output: str = NOT_RUN
    failed: bool = False


class Notebook:
    """Cells that are run in order in one Python."""

    def __init__(self, opening: Opening, *, most: int, max_cells: int) -> None:
        self.opening = opening
        self.most = most
        self.max_cells = max_cells
        self.cells: list[Cell] = []
        self.opened = AsyncExitStack()
        self.python: Interpreter | None = None

    async def edit(self, code: str, index: int | None) -> str:
        """Append a cell and run it, or rewrite one and run all afresh. Raises ValueError with words for the model."""
        if index is None:
            if len(self.cells) >= self.max_cells:
                raise ValueError(f"the notebook has {self.max_cells} cells and can take no more; rewrite one")
            self.cells.append(Cell(code))
            # As when a person appends a cell: what ran before has run.
            await self.run_cell(self.cells[-1])
            return f"Appended cell {len(self.cells) - 1}."
        if not 0 <= index < len(self.cells):
            known = f"0 to {len(self.cells) - 1}" if self.cells else "none yet"
            raise ValueError(f"there is no cell {index}; there are: {known}")
        self.cells[index] = Cell(code)
        await self.run_all()
        return f"Rewrote cell {index} and ran all cells again."

    async def run_all(self) -> None:
        """All cells in a fresh Python, up to the first that fails."""
        await self.restart()
        for cell in self.cells:
            cell.output, cell.failed = NOT_RUN, False
        for cell in self.cells:
            await self.run_cell(cell)
            if cell.failed:
                break

    async def run_cell(self, cell: Cell) -> None:
        run = await (await self.interpreter()).run(cell.code)
        cell.failed = not run.ok
        cell.output = cut(told(run), self.most)

    async def listed(self, directory: str) -> str:
        run = await (await self.interpreter()).run(LIST.format(directory=directory))
        return cut(run.output.rstrip("\n") if run.ok else told(run), self.most)

    async def interpreter(self) -> Interpreter:
        if self.python is None:
            self.python = await self.opened.enter_async_context(self.opening())
        return self.python

    async def restart(self) -> None:
        self.python = None
        await self.opened.aclose()
        self.opened = AsyncExitStack()

    async def close(self) -> None:
        await self.restart()

    def shown(self) -> str:
        """All cells with their output, as text."""
        if not self.cells:
            return "The notebook is empty."
        parts = [
            f"### Cell {number}:\n```python\n{cell.code}\n```\n### Output {number}:\n```\n{cell.output}\n```"
            for number, cell in enumerate(self.cells)
        ]
        return "\n\n".join(["The notebook:", *parts])


def told(run: Run) -> str:
    """What a run showed: what it printed, the value of its last expression, and how it failed."""
    parts = [run.output.rstrip("\n"), run.errors.rstrip("\n")]
    if run.value is not None:
        parts.append(str(run.value))
    if run.truncated:
        parts.append("(what was printed after this was dropped)")
    if not run.ok:
        parts.append(ended(run))
    return "\n".join(part for part in parts if part) or "(no output)"


def ended(run: Run) -> str:
    """How a run failed, in words for the model, and whether what ran before it is still there."""
    if run.status == "raised":
        return (run.trace or run.error or "The cell failed.").rstrip("\n")
    what = {
        "cpu_limit": "The cell took too long and was ended.",
        "wall_limit": "The cell took too long and was ended.",
        "memory_limit": "The cell used too much memory and was ended.",
    }.get(run.status, "The Python process ended.")
    return f"{what} {GONE if any('gone' in note for note in run.notes) else KEPT}"


def cut(text: str, most: int) -> str:
    """The beginning and the end of a text that is too long, with how much is left out."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n... ({len(text) - 2 * half} characters left out) ...\n{text[-half:]}"
