import itertools

import pytest
from taskgraph import Graph, Slot, critical_path, finish_times, schedule


@pytest.fixture
def house():
    graph = Graph()
    graph.add("dig", 3)
    graph.add("walls", 5, ["dig"])
    graph.add("pipes", 2, ["dig"])
    graph.add("roof", 4, ["walls"])
    graph.add("paint", 1, ["walls", "pipes"])
    return graph


def test_finish_times(house):
    assert finish_times(house) == {"dig": 3, "walls": 8, "pipes": 5, "roof": 12, "paint": 9}


def test_the_slowest_need_decides(house):
    house.add("move", 1, ["roof", "paint"])
    assert finish_times(house)["move"] == 13


def test_critical_path(house):
    assert critical_path(house) == ["dig", "walls", "roof"]


def test_critical_path_of_equals_is_by_name():
    graph = Graph()
    graph.add("b", 2)
    graph.add("a", 2)
    assert critical_path(graph) == ["a"]


def test_critical_path_of_nothing():
    assert critical_path(Graph()) == []


def test_one_worker_does_one_after_the_other(house):
    slots = schedule(house, 1)
    assert [slot.task for slot in slots] == house.order()
    assert slots[-1].end == 15
    assert all(before.end == after.start for before, after in itertools.pairwise(slots))


def test_two_workers_share(house):
    assert schedule(house, 2) == [
        Slot("dig", 0, 0, 3),
        Slot("pipes", 1, 3, 5),
        Slot("walls", 0, 3, 8),
        Slot("paint", 1, 8, 9),
        Slot("roof", 0, 8, 12),
    ]


def test_no_worker_does_two_things_at_once(house):
    for workers in range(1, 5):
        slots = sorted(schedule(house, workers), key=lambda slot: (slot.worker, slot.start))
        for before, after in itertools.pairwise(slots):
            assert before.worker != after.worker or before.end <= after.start


def test_nothing_starts_before_what_it_needs(house):
    for workers in range(1, 5):
        ends = {slot.task: slot.end for slot in schedule(house, workers)}
        for slot in schedule(house, workers):
            assert all(ends[other] <= slot.start for other in house.needs[slot.task])


@pytest.mark.parametrize("workers", [0, -1])
def test_somebody_has_to_work(house, workers):
    with pytest.raises(ValueError, match="cannot do anything"):
        schedule(house, workers)
