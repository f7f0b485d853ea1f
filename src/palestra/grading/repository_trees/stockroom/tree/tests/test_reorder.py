import pytest
from stockroom import Order, Room, orders
from stockroom.reorder import Rule, whole_packs


@pytest.fixture
def room():
    room = Room()
    room.receive("bolt", 10, 5)
    room.receive("nut", 50, 2)
    return room


def test_orders_up_to_the_target(room):
    assert orders(room, {"bolt": Rule(20, 50)}) == [Order("bolt", 40)]


def test_enough_is_enough(room):
    assert orders(room, {"nut": Rule(20, 60)}) == []


def test_the_minimum_itself_is_enough(room):
    assert orders(room, {"bolt": Rule(10, 50)}) == []


def test_reserved_pieces_do_not_count(room):
    room.reserve("nut", "ann", 40)
    assert orders(room, {"nut": Rule(20, 60)}) == [Order("nut", 50)]


def test_pieces_on_the_way_count(room):
    assert orders(room, {"bolt": Rule(20, 50)}, {"bolt": 10}) == []
    assert orders(room, {"bolt": Rule(20, 50)}, {"bolt": 5}) == [Order("bolt", 35)]


def test_items_that_never_were_in_store(room):
    assert orders(room, {"gear": Rule(1, 5)}) == [Order("gear", 5)]


def test_packs_are_whole(room):
    assert orders(room, {"bolt": Rule(20, 50, pack=12)}) == [Order("bolt", 48)]


def test_orders_are_sorted(room):
    rules = {"nut": Rule(60, 70), "bolt": Rule(20, 50)}
    assert [order.item for order in orders(room, rules)] == ["bolt", "nut"]


@pytest.mark.parametrize(("count", "pack", "whole"), [(1, 1, 1), (10, 5, 10), (11, 5, 15), (1, 12, 12), (0, 5, 0)])
def test_whole_packs(count, pack, whole):
    assert whole_packs(count, pack) == whole
