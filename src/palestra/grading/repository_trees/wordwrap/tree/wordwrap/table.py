"""Tables in plain text."""

from collections.abc import Sequence


def table(rows: Sequence[Sequence[object]], *, header: bool = False, gap: int = 2) -> str:
    """Rows in columns that are as wide as their widest cell.

    Columns in which every cell of the body is a number stand at the right edge. Short rows end early. With `header` a
    line of dashes stands under the first row. Lines have no blanks at their end.
    """
    if not rows:
        return ""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    count = max(map(len, texts))
    body = rows[1:] if header else rows
    widths = [max((len(row[column]) for row in texts if column < len(row)), default=0) for column in range(count)]
    numeric = [is_numeric(body, column) for column in range(count)]
    lines = [line_of(row, widths, numeric, gap) for row in texts]
    if header:
        lines.insert(1, (" " * gap).join("-" * width for width in widths))
    return "\n".join(lines)


def is_numeric(rows: Sequence[Sequence[object]], column: int) -> bool:
    cells = [row[column] for row in rows if column < len(row) and row[column] is not None]
    return bool(cells) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)


def line_of(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool], gap: int) -> str:
    placed = [
        cell.rjust(width) if at_right else cell.ljust(width)
        for cell, width, at_right in zip(cells, widths, numeric, strict=False)
    ]
    return (" " * gap).join(placed).rstrip()
