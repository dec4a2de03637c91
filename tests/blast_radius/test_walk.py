"""From some runs to all that they fed."""

from __future__ import annotations

import pytest

from airflow_agari_provider.blast_radius.graph import Unknown
from airflow_agari_provider.blast_radius.walk import Bounds, blast_radius
from tests.blast_radius.drawn_graphs import Drawn, edge, key, run, shape


def names(keys):
    return sorted("/".join(one) for one in keys)


def kinds(answer):
    return sorted(one.kind for one in answer.unknown)


def test_a_run_that_fed_nothing_is_alone():
    answer = blast_radius([run("a/1")], Drawn([]))
    assert (names(answer.runs), answer.edges, answer.complete) == (["a/1"], (), True)


def test_a_fan_out_and_a_diamond_reach_each_run_once():
    links = Drawn([edge("a/1", "b/1"), edge("a/1", "c/1"), edge("b/1", "d/1"), edge("c/1", "d/1")])
    answer = blast_radius([run("a/1")], links)
    assert names(answer.runs) == ["a/1", "b/1", "c/1", "d/1"]
    assert len(answer.edges) == 4
    assert links.asked == [1, 2, 1]  # once for each level, however many runs it has


def test_only_what_comes_after_the_bad_task_is_spoiled():
    shapes = {"a": shape("a", extract="score", score="load", load="", other="")}
    links = Drawn([edge("a/1", "b/1", "load"), edge("a/1", "c/1", "extract"), edge("a/1", "d/1", "other")], {}, shapes)
    answer = blast_radius([run("a/1")], links, ["score"])
    assert answer.tasks[key("a/1")] == {"score", "load"}
    assert names(answer.runs) == ["a/1", "b/1"]


def test_a_sensor_spoils_its_task_and_those_after_it():
    shapes = {"b": shape("b", wait="report", report="", clean="")}
    answer = blast_radius([run("a/1")], Drawn([edge("a/1", "b/1", to_task="wait", how="sensor")], {}, shapes))
    assert answer.tasks[key("b/1")] == {"wait", "report"}


def test_a_run_that_is_reached_again_is_asked_only_for_its_further_tasks():
    """``clean`` of b is spoiled one level later than ``wait``; what it fed is found all the same."""
    shapes = {"b": shape("b", wait="", clean="")}
    links = Drawn(
        [
            edge("a/1", "b/1", to_task="wait", how="sensor"),
            edge("a/1", "c/1"),
            edge("c/1", "b/1", to_task="clean", how="marker"),
            edge("b/1", "d/1", "wait"),
            edge("b/1", "e/1", "clean"),
        ],
        {},
        shapes,
    )
    answer = blast_radius([run("a/1")], links)
    assert names(answer.runs) == ["a/1", "b/1", "c/1", "d/1", "e/1"]
    assert answer.tasks[key("b/1")] == {"wait", "clean"}


def test_runs_that_feed_each_other_end_the_search_and_are_told():
    answer = blast_radius([run("a/1")], Drawn([edge("a/1", "b/1"), edge("b/1", "a/1")]))
    assert names(answer.runs) == ["a/1", "b/1"]
    assert kinds(answer) == ["cycle"]
    assert answer.unknown[0].text.startswith("These DAGs feed each other: a -> b -> a.")


def test_a_dag_that_is_gone_is_unknown_and_its_run_is_spoiled_as_a_whole():
    answer = blast_radius(
        [run("a/1")], Drawn([edge("a/1", "old/1", to_task="x"), edge("a/1", "old/2")], {}, {"old": None})
    )
    assert answer.tasks[key("old/1")] is None
    assert [(one.kind, one.count) for one in answer.unknown] == [("dag_gone", 2)]


@pytest.mark.parametrize(("edges", "tasks"), [([], ["gone"]), ([edge("a/1", "b/1", to_task="gone", how="marker")], [])])
def test_a_task_that_is_gone_is_unknown(edges, tasks):
    assert kinds(blast_radius([run("a/1")], Drawn(edges), tasks)) == ["task_gone"]


def test_what_the_links_do_not_know_is_kept_once():
    links = Drawn([edge("a/1", "b/1")], unknown=[Unknown("no_run", "gone", ("c",))])
    assert blast_radius([run("a/1")], links).unknown == (Unknown("no_run", "gone", ("c",)),)


def test_it_stops_at_a_number_of_runs_and_says_so():
    links = Drawn([edge("a/1", f"b/{number}") for number in range(9)])
    answer = blast_radius([run("a/1")], links, bounds=Bounds(runs=4))
    assert (len(answer.runs), kinds(answer)) == (4, ["too_many"])
    answer = blast_radius([run(f"a/{number}") for number in range(9)], Drawn([]), bounds=Bounds(runs=4))
    assert (len(answer.runs), kinds(answer)) == (4, ["too_many"])


def test_it_stops_at_a_number_of_levels_and_says_so():
    links = Drawn([edge(f"a/{number}", f"a/{number + 1}") for number in range(99)])
    answer = blast_radius([run("a/0")], links, bounds=Bounds(levels=5))
    assert (len(answer.runs), kinds(answer)) == (6, ["cycle", "too_many"])
