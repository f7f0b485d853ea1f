from wordwrap import table


def test_columns_are_as_wide_as_their_widest_cell():
    assert table([["a", "b"], ["ccc", "d"]]) == "a    b\nccc  d"


def test_numbers_stand_at_the_right():
    assert table([["apple", 5], ["fig", 120]]) == "apple    5\nfig    120"


def test_mixed_columns_stand_at_the_left():
    assert table([["x", 5], ["y", "many"]]) == "x  5\ny  many"


def test_flags_are_no_numbers():
    assert table([["x", True], ["y", False]]) == "x  True\ny  False"


def test_header_has_dashes_below():
    assert table([["name", "n"], ["fig", 120]], header=True) == "name    n\n----  ---\nfig   120"


def test_header_does_not_decide_what_is_numeric():
    assert table([["count"], [7]], header=True) == "count\n-----\n    7"


def test_short_rows_end_early():
    assert table([["a", "b", "c"], ["d"]]) == "a  b  c\nd"


def test_none_is_an_empty_cell():
    assert table([["a", None, "b"], ["c", "dd", "e"]]) == "a      b\nc  dd  e"


def test_none_does_not_move_numbers():
    assert table([["a", 1], ["b", None], ["c", 10]]) == "a   1\nb\nc  10"


def test_gap():
    assert table([["a", "b"]], gap=4) == "a    b"


def test_no_rows():
    assert table([]) == ""
