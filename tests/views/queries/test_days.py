"""The days of a DAG on real databases. Times are seconds after ``EPOCH``."""

from __future__ import annotations

import pytest

from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views import charts_api
from airflow_agari_provider.views.parameters import days_question
from airflow_agari_provider.views.queries import days as queries
from tests.views.asked_charts import ask as ask_tries
from tests.views.metadata_rows import EPOCH
from tests.views.queries.histories import Rows, failed_deferred_tasks

DAY = 86400
MIDNIGHT = 12800  # of 2026-05-29 (UTC)


def ask(metadata, dag_id, *arguments):
    return charts_api.dag_days(metadata.session, dag_id, days_question(arguments), EPOCH + 3 * DAY)["days"]


def test_each_day_has_its_runs_by_state_and_what_failed_tries_cost(metadata, dag_id):
    metadata.dag(dag_id)
    metadata.dag(f"{dag_id}_other")
    metadata.run(f"{dag_id}_other", "r", MIDNIGHT, "failed")
    dues = {0: "success", DAY - 900: "failed", DAY: "success", DAY + 1: "queued"}
    for number, (due, state) in enumerate(dues.items()):
        metadata.run(dag_id, f"r{number}", MIDNIGHT + due, state)
    start = MIDNIGHT + 10
    metadata.old_try(dag_id, "r0", "load", 1, "failed", start=start, end=start + 20)
    metadata.instance(dag_id, "r0", "load", 2, "success", start=start + 30, end=start + 90)
    metadata.instance(dag_id, "r1", "load", 1, "failed", start=start + DAY, end=start + DAY + 5)
    metadata.instance(dag_id, "r2", "load", 1, "success", start=start + DAY, end=start + DAY + 5)
    found = ask(metadata, dag_id)
    assert found["date"] == ["2026-05-29", "2026-05-30"]
    assert found["start"] == [EPOCH + MIDNIGHT, EPOCH + MIDNIGHT + DAY]
    assert found["runs"] == {"success": [1, 1], "failed": [1, 0], "running": [0, 0], "queued": [0, 1]}
    assert (found["failed_tries"], found["lost_seconds"]) == ([2, 0], pytest.approx([25, 0], abs=0.01))
    kolkata = ask(metadata, dag_id, ("time_zone", "Asia/Kolkata"))
    assert (kolkata["date"], kolkata["runs"]["success"]) == (["2026-05-29", "2026-05-30"], [1, 1])
    assert kolkata["runs"]["failed"] == [0, 1]  # due at 23:45 in UTC
    assert ask(metadata, dag_id, ("until", str(EPOCH + MIDNIGHT + DAY)))["date"] == ["2026-05-29"]
    assert ask(metadata, dag_id, ("since", str(EPOCH + MIDNIGHT + DAY)))["date"] == ["2026-05-30"]


def test_the_days_count_as_the_page_of_the_dag_does(metadata, dag_id):
    metadata.dag(dag_id)
    metadata.run(dag_id, "r", 0, "failed")
    failed_deferred_tasks(Rows(metadata, dag_id))
    found, page = ask(metadata, dag_id), ask_tries(metadata, dag_id)
    assert found["failed_tries"] == [2]
    assert found["lost_seconds"] == pytest.approx([page["figures"]["lost_seconds"]])


def test_more_failed_tries_than_can_be_read_are_not_known_and_not_zero(metadata, dag_id, monkeypatch):
    monkeypatch.setattr(queries, "MOST_FAILED", 2)
    metadata.dag(dag_id)
    metadata.run(dag_id, "r", 0, "failed")
    for number in range(3):
        metadata.old_try(dag_id, "r", f"task_{number}", 1, "failed", start=1, end=2)
    found = ask(metadata, dag_id)
    assert (found["runs"]["failed"], found["failed_tries"], found["lost_seconds"]) == ([1], [None], [None])


def test_a_dag_that_never_ran_has_no_days(metadata, dag_id):
    metadata.dag(dag_id)
    assert ask(metadata, dag_id)["date"] == []


def test_the_tries_of_a_span_are_those_of_its_runs_and_pages_stay_inside(metadata, dag_id):
    metadata.dag(dag_id)
    for number in range(6):
        metadata.run(dag_id, f"r{number}", number * DAY)
    span = ("since", str(EPOCH + DAY)), ("until", str(EPOCH + 5 * DAY))
    newest = ask_tries(metadata, dag_id, ("runs", "3"), *span)
    assert newest["runs"]["run_id"] == ["r2", "r3", "r4"]
    assert newest["window"]["text"] == "last 3 of 4 runs that match the filters, 2026-05-30 to 2026-06-01 (UTC)"
    older = ask_tries(metadata, dag_id, ("runs", "3"), ("before", newest["window"]["before"]), *span)
    assert (older["runs"]["run_id"], older["window"]["older"]) == (["r1"], False)
    assert (
        ask_tries(metadata, dag_id, ("since", str(EPOCH + 9 * DAY)))["window"]["text"] == "no run matches the filters"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([("since", "2"), ("until", "2")], "until is later than since, not 2 and 2."),
        ([("since", "nan")], "since is a number from 0 to 253402300799, not 'nan'."),
        ([("until", "1e30")], "until is a number from 0 to 253402300799, not '1e30'."),
        ([("since", "0"), ("until", "99999999")], "since and until are at most 400 days apart."),
        ([("time_zone", "../../etc/passwd")], "time_zone is a name such as Europe/Berlin, not '../../etc/passwd'."),
        ([("time_zone", "America")], "time_zone is a name such as Europe/Berlin, not 'America'."),
        ([("time_zone", "")], "time_zone is a name such as Europe/Berlin, not ''."),
    ],
    ids=["nothing between", "no number", "after all time", "too long", "a path", "a folder", "no name"],
)
def test_a_span_that_makes_no_sense_is_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(BadQuestion) as refused:
        days_question(arguments)
    assert str(refused.value) == sentence
