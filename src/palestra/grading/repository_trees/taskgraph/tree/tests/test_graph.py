import pytest
from taskgraph import CycleError, Graph


def graph_of(**needs):
    graph = Graph()
    for name, others in needs.items():
        graph.add(name, needs=others.split())
    return graph


def test_order_follows_needs():
    assert graph_of(a="b", b="c", c="").order() == ["c", "b", "a"]


def test_order_is_by_name_where_it_is_free():
    assert graph_of(c="", a="", b="").order() == ["a", "b", "c"]


def test_order_prefers_the_first_name_at_every_step():
    assert graph_of(a="z", b="", z="").order() == ["b", "z", "a"]


def test_levels():
    assert graph_of(a="", b="", c="a b", d="a", e="c").levels() == [["a", "b"], ["c", "d"], ["e"]]


def test_an_empty_graph():
    assert Graph().order() == []
    assert Graph().levels() == []


def test_a_need_named_twice_counts_once():
    graph = graph_of(a="b b", b="")
    assert graph.needs["a"] == ("b",)


def test_missing_tasks_are_named():
    with pytest.raises(ValueError, match="'a' needs 'x'"):
        graph_of(a="x").check()


def test_order_checks_first():
    with pytest.raises(ValueError, match="does not exist"):
        graph_of(a="x").order()


def test_a_cycle_is_found_and_named():
    with pytest.raises(CycleError) as caught:
        graph_of(a="b", b="c", c="a").order()
    assert caught.value.cycle == ["a", "b", "c", "a"]
    assert str(caught.value) == "a -> b -> c -> a"


def test_only_the_circle_is_named():
    with pytest.raises(CycleError) as caught:
        graph_of(a="b", b="c", c="b").check()
    assert caught.value.cycle == ["b", "c", "b"]


def test_a_task_cannot_wait_for_itself():
    with pytest.raises(CycleError):
        graph_of(a="a").check()


def test_two_ways_to_a_task_are_no_cycle():
    graph_of(a="b c", b="d", c="d", d="").check()


def test_names_are_unique():
    graph = graph_of(a="")
    with pytest.raises(ValueError, match="already"):
        graph.add("a")


def test_durations_are_not_negative():
    graph = Graph()
    graph.add("now", 0)
    with pytest.raises(ValueError, match="cannot take -1"):
        graph.add("a", -1)


def test_dependents():
    graph = graph_of(a="", b="a", c="b", d="")
    assert graph.dependents("a") == {"b", "c"}
    assert graph.dependents("c") == set()


def test_dependents_over_two_ways():
    assert graph_of(a="", b="a", c="a", d="b c").dependents("a") == {"b", "c", "d"}
