import pytest
from intervals import Interval


def test_start_belongs_to_it_and_end_does_not():
    assert 1 in Interval(1, 3)
    assert 2.9 in Interval(1, 3)
    assert 3 not in Interval(1, 3)


def test_end_before_start_is_refused():
    with pytest.raises(ValueError, match="before its start 3"):
        Interval(3, 1)


def test_length_and_emptiness():
    assert Interval(2, 5).length == 3
    assert Interval(2, 2).is_empty
    assert not Interval(2, 5).is_empty


def test_overlap():
    assert Interval(0, 3).overlaps(Interval(2, 5))
    assert Interval(0, 9).overlaps(Interval(2, 5))
    assert not Interval(0, 1).overlaps(Interval(2, 5))


def test_neighbours_do_not_overlap():
    assert not Interval(0, 2).overlaps(Interval(2, 5))
    assert Interval(0, 2).intersection(Interval(2, 5)) is None


def test_neighbours_touch():
    assert Interval(0, 2).touches(Interval(2, 5))
    assert not Interval(0, 1).touches(Interval(2, 5))


def test_intersection():
    assert Interval(0, 3).intersection(Interval(2, 5)) == Interval(2, 3)
    assert Interval(0, 9).intersection(Interval(2, 5)) == Interval(2, 5)


def test_shift_keeps_the_length():
    assert Interval(1, 4).shifted(-3) == Interval(-2, 1)


@pytest.mark.parametrize(("number", "nearest"), [(0, 2), (3, 3), (9, 5), (2, 2), (5, 5)])
def test_clamped(number, nearest):
    assert Interval(2, 5).clamped(number) == nearest
