"""What a reader sees who may not read all DAGs."""

from __future__ import annotations

import json

from airflow_agari_provider.blast_radius.graph import Unknown
from airflow_agari_provider.blast_radius.hidden import as_seen_by
from airflow_agari_provider.blast_radius.report_data import dot_of, json_of
from airflow_agari_provider.blast_radius.report_text import text_of
from airflow_agari_provider.blast_radius.walk import blast_radius
from tests.blast_radius.drawn_graphs import Drawn, edge, run


def answer():
    edges = [
        edge("open/1", "secret/7", to_task="hush", what="s3://secret"),
        edge("secret/7", "end/1", "hush", what="s3://secret"),
        edge("open/1", "end/1", what="s3://open"),
    ]
    unknown = [
        Unknown("no_run", "secret has no run", ("open", "secret"), 3),
        Unknown("guess", "open guesses", ("open",)),
    ]
    return blast_radius([run("open/1")], Drawn(edges, unknown=unknown))


def test_hidden_runs_are_counted_and_lead_on_but_nothing_of_them_is_told():
    seen = as_seen_by(answer(), frozenset({"open", "end"}))
    assert seen.hidden == (1, 1)
    assert (len(seen.runs), len(seen.edges)) == (3, 3)
    told = [(one.kind, one.count) for one in seen.unknown]
    assert sorted(told) == [("guess", 1), ("no_run", 3), ("not_permitted", 1), ("task_gone", 1)]
    for text in (text_of(seen), json_of(seen), dot_of(seen)):
        assert "secret" not in text
        assert "hush" not in text
    assert "s3://open" in text_of(seen)
    assert json.loads(json_of(seen))["hidden"] == {"dags": 1, "runs": 1}


def test_who_may_read_all_of_it_sees_all_of_it():
    everything = answer()
    assert as_seen_by(everything, None) is everything
    assert as_seen_by(everything, frozenset({"open", "end", "secret"})).edges == everything.edges
