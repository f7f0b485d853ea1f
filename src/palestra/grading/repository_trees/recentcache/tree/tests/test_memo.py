import pytest
from recentcache import Cache, memoized


@pytest.fixture
def calls():
    return []


@pytest.fixture
def double(calls):
    @memoized(Cache(3))
    def double(number=1, times=2):
        calls.append(number)
        return number * times

    return double


def test_results_are_remembered(double, calls):
    assert [double(4), double(4), double(4)] == [8, 8, 8]
    assert calls == [4]


def test_arguments_matter(double, calls):
    assert [double(4), double(5)] == [8, 10]
    assert calls == [4, 5]


def test_named_arguments_matter(double, calls):
    assert [double(4, times=3), double(4, times=5)] == [12, 20]
    assert calls == [4, 4]


def test_order_of_named_arguments_does_not_matter(double, calls):
    assert double(number=4, times=3) == double(times=3, number=4)
    assert calls == [4]


def test_types_matter(double, calls):
    assert str(double(1)) == "2"
    assert str(double(1.0)) == "2.0"
    assert len(calls) == 2


def test_types_of_named_arguments_matter(double, calls):
    assert str(double(number=1)) == "2"
    assert str(double(number=1.0)) == "2.0"
    assert len(calls) == 2


def test_none_is_remembered(calls):
    @memoized(Cache(3))
    def nothing(number):
        calls.append(number)

    assert nothing(1) is None
    assert nothing(1) is None
    assert calls == [1]


def test_errors_are_not_remembered(calls):
    @memoized(Cache(3))
    def fails_once(number):
        calls.append(number)
        if len(calls) == 1:
            raise OSError("try again")
        return number

    with pytest.raises(OSError, match="try again"):
        fails_once(7)
    assert fails_once(7) == 7


def test_functions_share_a_cache_and_not_their_results():
    cache = Cache(10)

    @memoized(cache)
    def plus(number):
        return number + 1

    @memoized(cache)
    def minus(number):
        return number - 1

    assert (plus(5), minus(5), plus(5)) == (6, 4, 6)
    assert len(cache) == 2


def test_the_function_keeps_its_name(double):
    assert double.__name__ == "double"
