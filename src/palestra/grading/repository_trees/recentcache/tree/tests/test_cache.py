import pytest
from recentcache import Cache


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def filled(*keys, size=3):
    cache = Cache(size)
    for key in keys:
        cache.put(key, key.upper())
    return cache


def test_get_and_put():
    cache = filled("a")
    assert cache.get("a") == "A"
    assert cache.get("b") is None
    assert cache.get("b", "none") == "none"


def test_the_oldest_is_forgotten():
    assert list(filled("a", "b", "c", "d")) == ["b", "c", "d"]


def test_reading_counts_as_use():
    cache = filled("a", "b", "c")
    cache.get("a")
    cache.put("d", "D")
    assert list(cache) == ["c", "a", "d"]


def test_looking_does_not_count_as_use():
    cache = filled("a", "b", "c")
    assert "a" in cache
    cache.put("d", "D")
    assert "a" not in cache


def test_writing_counts_as_use():
    cache = filled("a", "b", "c")
    cache.put("a", "new")
    cache.put("d", "D")
    assert list(cache) == ["c", "a", "d"]
    assert cache.get("a") == "new"


def test_writing_again_does_not_grow():
    cache = filled("a", "b", "c")
    cache.put("c", "C2")
    assert len(cache) == 3
    assert "a" in cache


def test_a_stored_none_is_a_value():
    cache = Cache(2)
    cache.put("a", None)
    assert "a" in cache
    assert cache.get("a", "default") is None
    assert cache.hits == 1


def test_size_must_be_positive():
    with pytest.raises(ValueError, match="size 0"):
        Cache(0)


def test_entries_age(clock):
    cache = Cache(3, lifetime=10, clock=clock)
    cache.put("a", 1)
    clock.now = 9.9
    assert cache.get("a") == 1
    clock.now = 10
    assert cache.get("a") is None
    assert "a" not in cache


def test_reading_does_not_make_young(clock):
    cache = Cache(3, lifetime=10, clock=clock)
    cache.put("a", 1)
    clock.now = 6
    assert cache.get("a") == 1
    clock.now = 12
    assert cache.get("a") is None


def test_writing_makes_young(clock):
    cache = Cache(3, lifetime=10, clock=clock)
    cache.put("a", 1)
    clock.now = 6
    cache.put("a", 2)
    clock.now = 12
    assert cache.get("a") == 2


def test_old_entries_do_not_count(clock):
    cache = Cache(3, lifetime=10, clock=clock)
    cache.put("a", 1)
    clock.now = 5
    cache.put("b", 2)
    clock.now = 11
    assert len(cache) == 1
    assert list(cache) == ["b"]


def test_old_entries_make_room_before_young_ones(clock):
    cache = Cache(2, lifetime=10, clock=clock)
    cache.put("a", 1)
    clock.now = 5
    cache.put("b", 2)
    cache.get("a")
    clock.now = 11
    cache.put("c", 3)
    assert list(cache) == ["b", "c"]


def test_drop():
    cache = filled("a", "b")
    assert cache.drop("a")
    assert not cache.drop("a")
    assert list(cache) == ["b"]


def test_drop_of_an_old_entry(clock):
    cache = Cache(3, lifetime=10, clock=clock)
    cache.put("a", 1)
    clock.now = 20
    assert not cache.drop("a")


def test_resize_forgets_the_least_recently_used():
    cache = filled("a", "b", "c")
    cache.get("a")
    cache.resize(2)
    assert list(cache) == ["c", "a"]
    with pytest.raises(ValueError, match="keeps nothing"):
        cache.resize(0)


def test_hit_rate():
    cache = filled("a")
    assert cache.hit_rate() == 0
    cache.get("a")
    cache.get("b")
    cache.get("a")
    cache.get("a")
    assert cache.hit_rate() == 0.75


def test_an_old_entry_is_a_miss(clock):
    cache = Cache(3, lifetime=10, clock=clock)
    cache.put("a", 1)
    clock.now = 10
    cache.get("a")
    assert (cache.hits, cache.misses) == (0, 1)
