"""The answer as people read it."""

from __future__ import annotations

import pytest

from airflow_agari_provider.blast_radius import report_text
from airflow_agari_provider.blast_radius.graph import Run, RunKey, Unknown
from airflow_agari_provider.blast_radius.report_text import moment, text_of
from airflow_agari_provider.blast_radius.walk import blast_radius
from tests.blast_radius.drawn_graphs import HOUR, Drawn, edge, run, shape

DAY = 1_780_012_800.0  # 2026-05-29 00:00 UTC

EXPECTED = """\
2 runs fed 3 runs
  day: 1 run
  hour: 2 runs
  report: 2 runs

2026-05-29 08:00 UTC  hour  8  success, ended 2026-05-29 10:00 UTC
  -> 2026-05-29 00:00 UTC  day  1  success, ended 2026-05-29 02:00 UTC  tasks: load  [declared s/, sensor w (a guess)]
  -> 2026-05-29 08:00 UTC  report  8  success, ended 2026-05-29 10:00 UTC  [asset s3://b]
2026-05-29 09:00 UTC  hour  9  success, ended 2026-05-29 11:00 UTC
  -> 2026-05-29 00:00 UTC  day  1  [declared s/] see above
  -> 2026-05-29 09:00 UTC  report  9  success, ended 2026-05-29 11:00 UTC  [asset s3://b]

Not known:
  guess: It is assumed."""


def two_hours():
    windows = {"report/8": DAY + 8 * HOUR, "report/9": DAY + 9 * HOUR, "day/1": DAY}
    edges = [
        edge("hour/8", "report/8", what="s3://b"),
        edge("hour/9", "report/9", what="s3://b"),
        edge("hour/8", "day/1", how="declared", what="s/", to_task="load"),
        edge("hour/8", "day/1", how="sensor", what="w", to_task="load", guess=True),
        edge("hour/9", "day/1", how="declared", what="s/", to_task="load"),
    ]
    links = Drawn(edges, windows, unknown=[Unknown("guess", "It is assumed.")])
    return blast_radius([run("hour/8", DAY + 8 * HOUR), run("hour/9", DAY + 9 * HOUR)], links)


def test_a_tree_with_each_run_once():
    assert text_of(two_hours()) == EXPECTED


def test_with_nothing_unknown_it_says_so():
    text = text_of(blast_radius([run("a/1")], Drawn([])))
    assert text.startswith("1 run fed 0 runs\n")
    assert text.endswith("\n\nNothing is unknown: every edge is recorded.")


def test_without_a_run_it_says_so():
    assert text_of(blast_radius([], Drawn([]))).startswith("There is no run to begin with.")


def test_a_run_that_goes_on_has_no_end():
    going = Run(RunKey("a", "1"), "manual", "running", 30.0)
    assert "1970-01-01 00:00:30 UTC  a  1  running\n" in text_of(blast_radius([going], Drawn([])))


def test_names_that_would_steer_a_terminal_are_made_harmless():
    evil = Run(RunKey("a\x1b[2J", "1\n2026"), "manual", "success", 0.0)
    text = text_of(blast_radius([evil], Drawn([])))
    assert "\x1b" not in text
    assert "a?[2J  1?2026  success" in text


def test_a_long_tree_is_cut_and_says_where_the_rest_is(monkeypatch):
    monkeypatch.setattr(report_text, "MOST_LINES", 3)
    text = text_of(blast_radius([run("a/1")], Drawn([edge("a/1", f"b/{number}") for number in range(9)])))
    assert text.count("-> ") == 2
    assert "... and more; --output json has all 10 runs." in text


def test_a_way_of_thousands_of_runs_is_no_trouble():
    chain = [edge(f"a/{number:04}", f"a/{number + 1:04}") for number in range(150)]
    assert text_of(blast_radius([run("a/0000")], Drawn(chain))).count("success") == 151


def test_spoiled_tasks_are_named_where_others_are_not_spoiled():
    shapes = {"a": shape("a", extract="load", load="")}
    answer = blast_radius([run("a/1")], Drawn([], {}, shapes), ["load"])
    assert "tasks: load" in text_of(answer)
    assert "tasks:" not in text_of(blast_radius([run("a/1")], Drawn([], {}, shapes), ["extract"]))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(DAY, "2026-05-29 00:00 UTC"), (DAY + 7.25, "2026-05-29 00:00:07 UTC"), (DAY - 4e-5, "2026-05-29 00:00 UTC")],
)
def test_times(seconds, text):
    assert moment(seconds) == text
