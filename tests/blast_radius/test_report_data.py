"""The answer for programs."""

from __future__ import annotations

import json

from airflow_agari_provider.blast_radius import report_data
from airflow_agari_provider.blast_radius.graph import Run, RunKey, Unknown
from airflow_agari_provider.blast_radius.report_data import dot_of, json_of
from airflow_agari_provider.blast_radius.walk import blast_radius
from tests.blast_radius.drawn_graphs import HOUR, Drawn, edge, run, shape


def small():
    shapes = {"a": shape("a", extract="load", load="tell", tell="")}
    edges = [edge("a/1", "b/1", what="s3://b"), edge("a/1", "c/1", how="sensor", to_task="load", guess=True)]
    links = Drawn(edges, {"b/1": HOUR, "c/1": 0.0}, shapes, [Unknown("guess", "assumed", ("a",), 2)])
    return blast_radius([run("a/1")], links, ["load"])


def test_as_json_runs_are_in_the_order_of_a_rerun_and_edges_refer_to_them():
    found = json.loads(json_of(small()))
    assert [(one["dag_id"], one["tasks"]) for one in found["runs"]] == [
        ("a", ["load", "tell"]),
        ("c", ["load"]),
        ("b", ["extract", "load"]),
    ]
    assert found["runs"][0] == {
        "dag_id": "a",
        "run_id": "1",
        "run_type": "scheduled",
        "state": "success",
        "logical_date": 0.0,
        "due": 3600.0,
        "start": 3600.0,
        "end": 7200.0,
        "tasks": ["load", "tell"],
    }
    assert found["edges"] == [
        {
            "run": 0,
            "task_id": "load",
            "to_run": 2,
            "to_task_id": None,
            "how": "asset",
            "what": "s3://b",
            "guess": False,
        },
        {"run": 0, "task_id": "load", "to_run": 1, "to_task_id": "load", "how": "sensor", "what": None, "guess": True},
    ]
    assert found["dags"]["a"] == {"same_run": {"load": ["tell"], "tell": []}}
    assert (found["version"], found["complete"], found["start"], found["in_a_circle"]) == (1, False, [0], [])
    assert found["unknown"] == [{"kind": "guess", "text": "assumed", "count": 2}]


def test_as_a_graph_guesses_are_dashed_and_the_start_is_bold():
    assert dot_of(small()).splitlines() == [
        "digraph blast_radius {",
        "  rankdir=LR;",
        "  node [shape=box];",
        '  r0 [label="a\\n1970-01-01 00:00 UTC\\nsuccess", style=bold];',
        '  r1 [label="c\\n1970-01-01 00:00 UTC\\nsuccess"];',
        '  r2 [label="b\\n1970-01-01 01:00 UTC\\nsuccess"];',
        '  r0 -> r2 [label="asset"];',
        '  r0 -> r1 [label="sensor", style=dashed];',
        "}",
    ]


def test_names_cannot_break_out_of_the_graph():
    evil = Run(RunKey('a"] ; x [label="\\', "1"), "manual", "suc\ncess", 0.0)
    line = dot_of(blast_radius([evil], Drawn([]))).splitlines()[3]
    assert line == '  r0 [label="a\\"] ; x [label=\\"\\\\\\n1970-01-01 00:00 UTC\\nsuc\\ncess", style=bold];'


def test_a_large_graph_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(report_data, "MOST_DRAWN", 3)
    text = dot_of(blast_radius([run("a/1")], Drawn([edge("a/1", f"b/{number}") for number in range(9)])))
    assert 'label="the first 3 of 10 runs"' in text
    assert text.count(" -> ") == 2
