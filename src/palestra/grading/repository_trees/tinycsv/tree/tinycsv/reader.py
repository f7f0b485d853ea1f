"""Reading, one character at a time."""


class CsvError(ValueError):
    """The text is no CSV: the message says what, `line` where, from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


class Reader:
    """The state between two characters."""

    def __init__(self, separator: str) -> None:
        self.separator = separator
        self.rows: list[list[str]] = []
        self.row: list[str] = []
        self.cell: list[str] = []
        self.line = 1
        self.opened_at = 0
        self.was_quoted = False

    def end_cell(self) -> None:
        self.row.append("".join(self.cell))
        self.cell = []
        self.was_quoted = False

    def end_row(self) -> None:
        # An empty line has no cells; a quoted empty cell is one.
        if self.row or self.cell or self.was_quoted:
            self.end_cell()
            self.rows.append(self.row)
            self.row = []

    def plain(self, character: str) -> bool:
        """Read a character outside of quotes; tell whether a quotation begins."""
        if character == '"' and not self.cell and not self.was_quoted:
            self.opened_at = self.line
            self.was_quoted = True
            return True
        if character == self.separator:
            self.end_cell()
        elif character == "\n":
            self.end_row()
            self.line += 1
        elif self.was_quoted or character == '"':
            raise CsvError(self.line, "a quote within a cell")
        else:
            self.cell.append(character)
        return False


def parse(text: str, separator: str = ",") -> list[list[str]]:
    """The rows of a text. Empty lines are left out, a byte order mark too. Raises CsvError."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    reader = Reader(separator)
    in_quotes = False
    position = 0
    while position < len(text):
        character = text[position]
        if not in_quotes:
            in_quotes = reader.plain(character)
        elif character != '"':
            reader.cell.append(character)
            reader.line += character == "\n"
        elif text[position + 1 : position + 2] == '"':
            reader.cell.append('"')
            position += 1
        else:
            in_quotes = False
        position += 1
    if in_quotes:
        raise CsvError(reader.opened_at, "a quotation that does not end")
    reader.end_row()
    return reader.rows


def records(text: str, separator: str = ",") -> list[dict[str, str]]:
    """Rows by the names in the first one. Cells that a row lacks are empty; raises CsvError for a row with too many."""
    rows = parse(text, separator)
    if not rows:
        return []
    names, *body = rows
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise CsvError(1, f"the name {min(twice)!r} stands there twice")
    found: list[dict[str, str]] = []
    for number, row in enumerate(body, 1):
        if len(row) > len(names):
            raise CsvError(number + 1, f"row {number} has {len(row)} cells, there are {len(names)} names")
        found.append(dict(zip(names, row + [""] * (len(names) - len(row)), strict=True)))
    return found
