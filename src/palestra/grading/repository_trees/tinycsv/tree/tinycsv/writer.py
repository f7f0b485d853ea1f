"""Writing what the reader reads."""

from collections.abc import Iterable, Sequence


def quoted(cell: str, separator: str = ",") -> str:
    """The cell as it stands in a file: in quotes if it needs them."""
    needs_quotes = any(mark in cell for mark in (separator, '"', "\n", "\r")) or cell != cell.strip()
    return '"' + cell.replace('"', '""') + '"' if needs_quotes else cell


def dump(rows: Iterable[Sequence[object]], separator: str = ",", line_end: str = "\n") -> str:
    """Rows as text. None is an empty cell; a row of one empty cell is quoted, as it would be an empty line."""
    lines: list[str] = []
    for row in rows:
        cells = ["" if cell is None else str(cell) for cell in row]
        line = separator.join(quoted(cell, separator) for cell in cells)
        lines.append('""' if cells == [""] else line)
    return "".join(line + line_end for line in lines)
