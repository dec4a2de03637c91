"""In which order runs are to be run again."""

from __future__ import annotations

from airflow_agari_provider.blast_radius.order import dag_cycles, in_order
from tests.blast_radius.drawn_graphs import HOUR, edge, key, run


def ordered(windows, edges):
    runs = {key(name): run(name, window) for name, window in windows.items()}
    order, circle = in_order(runs, edges)
    return ["/".join(one) for one in order], ["/".join(one) for one in circle]


def test_the_earliest_window_first_and_each_run_after_what_fed_it():
    windows = {"b/9": 9 * HOUR, "b/8": 8 * HOUR, "a/9": 9 * HOUR, "a/8": 8 * HOUR, "day/1": 0.0}
    edges = [edge("a/8", "b/8"), edge("a/9", "b/9"), edge("b/8", "day/1"), edge("b/9", "day/1")]
    assert ordered(windows, edges) == (["a/8", "b/8", "a/9", "b/9", "day/1"], [])


def test_two_edges_between_the_same_runs_are_one_wait():
    assert ordered({"a/1": 0, "b/1": 0}, [edge("a/1", "b/1"), edge("a/1", "b/1", how="trigger")])[0] == ["a/1", "b/1"]


def test_runs_in_a_circle_and_those_behind_it_are_apart():
    edges = [edge("a/1", "b/1"), edge("b/1", "a/1"), edge("b/1", "c/1")]
    assert ordered({"a/1": 0, "b/1": 0, "c/1": 0, "d/1": 0}, edges) == (["d/1"], ["a/1", "b/1", "c/1"])


def test_circles_of_dags_are_told_in_the_direction_of_the_data():
    """Their runs are in no circle."""
    edges = [edge("a/1", "b/1"), edge("b/1", "c/1"), edge("c/1", "a/2"), edge("d/1", "d/2"), edge("a/1", "e/1")]
    assert sorted(dag_cycles(edges)) == [("a", "b", "c"), ("d",)]


def test_without_a_circle_there_is_none():
    assert list(dag_cycles([edge("a/1", "b/1"), edge("a/1", "c/1"), edge("b/1", "c/1")])) == []
