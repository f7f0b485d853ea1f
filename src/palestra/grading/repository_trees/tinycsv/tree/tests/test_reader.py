import pytest
from tinycsv import CsvError, parse, records


def test_rows_and_cells():
    assert parse("a,b\nc,d\n") == [["a", "b"], ["c", "d"]]


def test_the_last_line_end_may_be_missing():
    assert parse("a,b\nc,d") == [["a", "b"], ["c", "d"]]


def test_empty_cells():
    assert parse(",a,\n,,\n") == [["", "a", ""], ["", "", ""]]


def test_empty_lines_are_left_out():
    assert parse("a\n\n\nb\n") == [["a"], ["b"]]


def test_nothing():
    assert parse("") == []


def test_separators_within_quotes():
    assert parse('"a,b",c\n') == [["a,b", "c"]]


def test_line_ends_within_quotes():
    assert parse('"a\nb",c\nd,e\n') == [["a\nb", "c"], ["d", "e"]]


def test_doubled_quotes_are_one():
    assert parse('"say ""hi""",b\n') == [['say "hi"', "b"]]


def test_a_quoted_empty_cell_is_a_row():
    assert parse('""\n') == [[""]]
    assert parse('a,""') == [["a", ""]]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends(line_end):
    assert parse(line_end.join(["a,b", "c,d", ""])) == [["a", "b"], ["c", "d"]]


def test_byte_order_mark():
    assert parse("\ufeffa,b\n") == [["a", "b"]]


def test_other_separators():
    assert parse("a;b,c\n", separator=";") == [["a", "b,c"]]
    assert parse("a\tb\n", separator="\t") == [["a", "b"]]


def test_blanks_belong_to_cells():
    assert parse(" a , b\n") == [[" a ", " b"]]


def test_a_quotation_that_does_not_end():
    with pytest.raises(CsvError, match="line 2: a quotation that does not end"):
        parse('a,b\nc,"d\ne,f\n')


@pytest.mark.parametrize("text", ['a"b\n', '"a"b\n', '"a" ,b\n', '"a""b"c\n'])
def test_quotes_within_cells(text):
    with pytest.raises(CsvError, match="a quote within a cell"):
        parse(text)


def test_lines_are_counted_also_within_quotes():
    with pytest.raises(CsvError) as caught:
        parse('"a\nb\nc"\nd"e\n')
    assert caught.value.line == 4


def test_records():
    assert records("name,n\nfig,3\nplum,5\n") == [{"name": "fig", "n": "3"}, {"name": "plum", "n": "5"}]


def test_records_of_a_header_alone():
    assert records("name,n\n") == []
    assert records("") == []


def test_missing_cells_are_empty():
    assert records("a,b,c\n1\n") == [{"a": "1", "b": "", "c": ""}]


def test_too_many_cells():
    with pytest.raises(CsvError, match="row 2 has 3 cells, there are 2 names"):
        records("a,b\n1,2\n1,2,3\n")


def test_names_are_unique():
    with pytest.raises(CsvError, match="'a' stands there twice"):
        records("a,b,a\n1,2,3\n")
