"""Page by page through the runs of a DAG, on real databases: each run is seen once, in both directions."""

from __future__ import annotations

import random

import pytest

from airflow_agari_provider.views import charts_api
from airflow_agari_provider.views.parameters import tries_question
from airflow_agari_provider.views.queries.tables import RUN
from tests.views.metadata_rows import EPOCH

HOUR = 3600
SEVERAL_AT_ONCE = "run_after" in RUN.c  # in 2.11, a DAG has at most one run for a moment


def page(metadata, dag_id, *arguments):
    return charts_api.dag_tries(metadata.session, dag_id, tries_question(arguments), EPOCH + 1e6)


def shown(found):
    return found["runs"]["run_id"]


def walk(metadata, dag_id, found, way, *arguments):
    """The pages from one page on, as the buttons Older and Newer turn them."""
    pages = [shown(found)]
    way_out, turn = {"older": ("older", "before"), "newer": ("newer", "after")}[way]
    while found["window"][way_out]:
        found = page(metadata, dag_id, *arguments, (turn, found["window"][turn]))
        pages.append(shown(found))
        assert len(pages) < 100, f"the pages go round in circles: {pages[-3:]}"
    return pages, found


def regular(chance):
    return [number * HOUR for number in range(23)]


def bursts_and_gaps(chance):
    starts = [0, 40 * HOUR, 41 * HOUR, 4000 * HOUR]
    return sorted({round(start + chance.random() * 3, 6) for start in starts for _ in range(6)})


def microseconds_apart(chance):
    return [7 + number / 1e6 for number in range(17)]


def several_at_once(chance):
    dues = [HOUR, 2 * HOUR, 2 * HOUR + 0.000001, 9 * HOUR]
    return sorted(chance.choice(dues if SEVERAL_AT_ONCE else range(10**6)) for _ in range(26))


def written_in_any_order(chance):
    return chance.sample([number * 1.5 * HOUR for number in range(19)], 19)  # as by a backfill


@pytest.mark.parametrize("runs", [1, 5])
@pytest.mark.parametrize(
    "dues",
    [regular, bursts_and_gaps, microseconds_apart, several_at_once, written_in_any_order],
    ids=lambda f: f.__name__,
)
def test_older_and_newer_show_every_run_once_and_lead_back(metadata, dag_id, dues, runs):
    chance = random.Random(runs)
    metadata.dag(dag_id)
    due = [(when, number) for number, when in enumerate(dues(chance))]
    for when, number in due:
        manual = {"run_type": "manual", "logical_date": None} if number % 3 == 0 or dues is several_at_once else {}
        metadata.run(dag_id, f"r{number}", when, **manual)
    in_order = [f"r{number}" for _, number in sorted(due)]

    size = ("runs", str(runs))
    newest = page(metadata, dag_id, size)
    back, oldest = walk(metadata, dag_id, newest, "older", size)
    assert [run_id for window in reversed(back) for run_id in window] == in_order
    assert all(len(window) == runs for window in back[:-1])
    assert not oldest["window"]["older"]

    forth, last = walk(metadata, dag_id, oldest, "newer", size)
    assert forth == back[::-1]
    assert not last["window"]["newer"]
    for window in ("shown", "total", "first", "last", "older", "newer", "text"):
        assert last["window"][window] == newest["window"][window]


def test_turning_pages_keeps_to_the_filters_and_to_the_dag(metadata, dag_id):
    for dag in (dag_id, f"{dag_id}_beside"):
        metadata.dag(dag)
        for number in range(12):
            kind = "manual" if number % 2 else "scheduled"
            metadata.run(dag, f"r{number}", number * HOUR, run_type=kind)
    asked = ("runs", "2"), ("run_type", "manual")
    back, oldest = walk(metadata, dag_id, page(metadata, dag_id, *asked), "older", *asked)
    assert back == [["r9", "r11"], ["r5", "r7"], ["r1", "r3"]]
    assert oldest["window"]["text"] == "runs 1 to 2 of 6 that match the filters, 2026-05-28 (UTC)"
    assert walk(metadata, dag_id, oldest, "newer", *asked)[0] == back[::-1]


def test_a_page_after_a_run_grows_with_the_runs_that_come_in(metadata, dag_id):
    metadata.dag(dag_id)
    for number in range(4):
        metadata.run(dag_id, f"r{number}", number * HOUR)
    second = page(metadata, dag_id, ("runs", "2"), ("before", str(EPOCH + 3 * HOUR)))
    asked = ("runs", "2"), ("after", second["window"]["after"])
    assert shown(page(metadata, dag_id, *asked)) == ["r3"]
    for number in (4, 5):
        metadata.run(dag_id, f"r{number}", number * HOUR)
    found = page(metadata, dag_id, *asked)
    assert (shown(found), found["window"]["newer"]) == (["r3", "r4"], True)


def test_a_page_after_a_run_is_compared_with_the_one_before_it(metadata, dag_id):
    metadata.dag(dag_id)
    for number in range(5):
        metadata.run(dag_id, f"r{number}", number * HOUR)
        metadata.instance(
            dag_id, f"r{number}", "load", 1, "success", start=number * HOUR, end=number * HOUR + 10**number
        )
    found = page(metadata, dag_id, ("runs", "2"), ("after", str(EPOCH + HOUR)))
    assert shown(found) == ["r2", "r3"]
    assert (found["figures"]["total_seconds"], found["figures"]["before"]["total_seconds"]) == (1100, 11)


def test_an_address_stays_good_where_its_run_is_gone(metadata, dag_id):
    """``airflow db clean`` removes runs; another DAG's run with that id is not mistaken for it."""
    metadata.dag(dag_id)
    for number in range(4):
        metadata.run(dag_id, f"r{number}", number * HOUR)
    other = metadata.run(f"{dag_id}_beside", "r0", 500 * HOUR)
    gone = f"{EPOCH + 2 * HOUR - 1}-{other}"
    assert shown(page(metadata, dag_id, ("before", gone))) == ["r0", "r1"]
    assert shown(page(metadata, dag_id, ("after", gone))) == ["r2", "r3"]


@pytest.mark.parametrize(
    ("turn", "text", "older", "newer"),
    [("before", "none of 3 runs is this old", False, True), ("after", "none of 3 runs is this new", True, False)],
)
def test_a_page_without_runs_says_on_which_side_they_are(metadata, dag_id, turn, text, older, newer):
    metadata.dag(dag_id)
    for number in range(3):
        metadata.run(dag_id, f"r{number}", number * HOUR)
    position = EPOCH - 1 if turn == "before" else EPOCH + 3 * HOUR
    window = page(metadata, dag_id, (turn, str(position)))["window"]
    assert (window["text"], window["older"], window["newer"]) == (text, older, newer)
    assert (window["before"], window["after"]) == (None, None)
