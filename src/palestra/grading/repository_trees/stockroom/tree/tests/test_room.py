import pytest
from stockroom import NotEnough, Room, UnknownItem


@pytest.fixture
def room():
    room = Room()
    room.receive("bolt", 10, 5)
    room.receive("bolt", 10, 7)
    room.receive("nut", 3, 2)
    return room


def test_count_is_over_all_batches(room):
    assert room.count("bolt") == 20
    assert room.count("nut") == 3


def test_value(room):
    assert room.value("bolt") == 120
    assert room.value() == 126


def test_oldest_pieces_go_first(room):
    assert room.take("bolt", 4) == 20
    assert room.take("bolt", 10) == 6 * 5 + 4 * 7
    assert room.value("bolt") == 6 * 7


def test_everything_can_be_taken(room):
    assert room.take("nut", 3) == 6
    assert room.count("nut") == 0


def test_too_much_cannot_be_taken(room):
    with pytest.raises(NotEnough, match="4 of nut wanted, 3 available"):
        room.take("nut", 4)
    assert room.count("nut") == 3


def test_reserved_pieces_are_in_store_but_not_available(room):
    room.reserve("bolt", "ann", 15)
    assert room.count("bolt") == 20
    assert room.available("bolt") == 5


def test_reserved_pieces_cannot_be_taken(room):
    room.reserve("bolt", "ann", 15)
    with pytest.raises(NotEnough):
        room.take("bolt", 6)


def test_reserved_pieces_cannot_be_reserved_again(room):
    room.reserve("bolt", "ann", 15)
    with pytest.raises(NotEnough) as caught:
        room.reserve("bolt", "ben", 6)
    assert caught.value.available == 5


def test_reservations_of_a_customer_add_up(room):
    room.reserve("bolt", "ann", 2)
    room.reserve("bolt", "ann", 3)
    assert room.available("bolt") == 15
    assert room.release("bolt", "ann") == 5


def test_release_gives_back(room):
    room.reserve("bolt", "ann", 15)
    assert room.release("bolt", "ann") == 15
    assert room.available("bolt") == 20


def test_release_of_nothing(room):
    assert room.release("bolt", "ann") == 0


def test_delivery_removes_and_costs(room):
    room.reserve("bolt", "ann", 12)
    assert room.deliver("bolt", "ann") == 10 * 5 + 2 * 7
    assert room.count("bolt") == 8
    assert room.available("bolt") == 8


def test_delivery_happens_once(room):
    room.reserve("bolt", "ann", 12)
    room.deliver("bolt", "ann")
    assert room.deliver("bolt", "ann") == 0
    assert room.count("bolt") == 8


def test_delivery_leaves_others_alone(room):
    room.reserve("bolt", "ann", 4)
    room.reserve("bolt", "ben", 5)
    room.deliver("bolt", "ann")
    assert room.available("bolt") == 11


@pytest.mark.parametrize("verb", ["count", "available", "value"])
def test_unknown_items(room, verb):
    with pytest.raises(UnknownItem):
        getattr(room, verb)("gear")


@pytest.mark.parametrize(("count", "price"), [(0, 5), (-1, 5), (3, -1)])
def test_what_cannot_be_received(room, count, price):
    with pytest.raises(ValueError, match="cannot receive"):
        room.receive("bolt", count, price)


def test_free_pieces_can_be_received(room):
    room.receive("washer", 5, 0)
    assert room.value("washer") == 0


def test_items_are_sorted_and_stay(room):
    room.take("nut", 3)
    assert room.items() == ["bolt", "nut"]
