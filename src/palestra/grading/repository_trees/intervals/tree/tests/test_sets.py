import pytest
from intervals import Interval, IntervalSet


def of(*pairs):
    return IntervalSet(Interval(start, end) for start, end in pairs)


def test_overlapping_intervals_become_one():
    assert list(of((0, 3), (2, 5))) == [Interval(0, 5)]


def test_neighbours_become_one():
    assert list(of((0, 2), (2, 5))) == [Interval(0, 5)]


def test_an_interval_inside_another_does_not_shorten_it():
    assert list(of((0, 9), (2, 5))) == [Interval(0, 9)]
    assert list(of((0, 9), (2, 5), (8, 12))) == [Interval(0, 12)]


def test_order_does_not_matter():
    assert of((6, 8), (0, 2)) == of((0, 2), (6, 8))
    assert hash(of((6, 8), (0, 2))) == hash(of((0, 2), (6, 8)))


def test_empty_intervals_leave_nothing():
    assert len(of((3, 3))) == 0
    assert of((0, 1), (5, 5)) == of((0, 1))


@pytest.mark.parametrize("number", [0, 1.5, 4, 5.9])
def test_numbers_in_the_set(number):
    assert number in of((0, 2), (4, 6))


@pytest.mark.parametrize("number", [-1, 2, 3, 6, 7])
def test_numbers_outside_the_set(number):
    assert number not in of((0, 2), (4, 6))


def test_length():
    assert of((0, 2), (4, 7)).length == 5
    assert of().length == 0


def test_hull():
    assert of((0, 2), (4, 7)).hull == Interval(0, 7)
    assert of().hull is None


def test_union():
    assert of((0, 2)) | of((1, 4), (6, 7)) == of((0, 4), (6, 7))


def test_intersection():
    assert of((0, 5), (8, 12)) & of((3, 9)) == of((3, 5), (8, 9))
    assert of((0, 1)) & of((2, 3)) == of()


def test_intersection_with_many_small_ones():
    assert of((0, 10)) & of((1, 2), (3, 4), (9, 11)) == of((1, 2), (3, 4), (9, 10))


def test_difference_cuts_holes():
    assert of((0, 10)) - of((2, 3), (5, 6)) == of((0, 2), (3, 5), (6, 10))


def test_difference_at_the_edges():
    assert of((0, 10)) - of((-5, 2)) == of((2, 10))
    assert of((0, 10)) - of((8, 15)) == of((0, 8))


def test_difference_with_everything_is_empty():
    assert of((0, 3), (5, 6)) - of((-1, 9)) == of()


def test_gaps():
    assert of((0, 1), (3, 4), (9, 10)).gaps() == of((1, 3), (4, 9))
    assert of().gaps() == of()


def test_overlap_with():
    assert of((0, 2), (4, 8)).overlap_with(Interval(1, 5)) == 2


def test_repr():
    assert repr(of((0, 2), (4, 6))) == "[0, 2) [4, 6)"
    assert repr(of()) == "empty"
