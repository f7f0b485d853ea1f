import pytest
from tinycsv import dump, parse, quoted


def test_rows():
    assert dump([["a", "b"], ["c", "d"]]) == "a,b\nc,d\n"


@pytest.mark.parametrize("cell", ["a", "a b", "1.5", ""])
def test_plain_cells_have_no_quotes(cell):
    assert quoted(cell) == cell


@pytest.mark.parametrize(
    ("cell", "written"),
    [("a,b", '"a,b"'), ('say "hi"', '"say ""hi"""'), ("a\nb", '"a\nb"'), (" a", '" a"'), ("a\rb", '"a\rb"')],
)
def test_cells_that_need_quotes(cell, written):
    assert quoted(cell) == written


def test_separator_decides_what_needs_quotes():
    assert quoted("a,b", separator=";") == "a,b"
    assert quoted("a;b", separator=";") == '"a;b"'


def test_dump_with_another_separator():
    assert dump([["a;b", "c,d"]], separator=";") == '"a;b";c,d\n'


def test_none_and_numbers():
    assert dump([[None, 1, 2.5]]) == ",1,2.5\n"


def test_line_end():
    assert dump([["a"], ["b"]], line_end="\r\n") == "a\r\nb\r\n"


def test_a_row_of_one_empty_cell_is_not_an_empty_line():
    assert dump([[""], ["a"]]) == '""\na\n'


def test_no_rows():
    assert dump([]) == ""


@pytest.mark.parametrize(
    "rows",
    [[["a", "b"]], [[""]], [["", ""]], [['"', ","]], [["a\nb", " c "]], [['""', "\n"]]],
)
def test_what_is_written_is_read_again(rows):
    assert parse(dump(rows)) == rows
