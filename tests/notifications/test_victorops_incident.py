"""The incident of a task and a window: when it opens and closes, and its identity."""

from __future__ import annotations

import pytest

from tests.operators.discrepancy_checks import RUN, context_of_run, paging


@pytest.fixture
def context():
    return context_of_run()


def test_a_discrepancy_opens_an_incident_and_a_later_try_without_one_closes_it(context, alerts):
    paging().execute(context)
    context["ti"].try_number = 2
    paging(stored=10).execute(context)
    opened, closed = alerts.victorops()
    assert opened == {
        "message_type": "CRITICAL",
        "entity_id": "airflow/EP_STAGE/ep_telemetry_v2/2016-02-03 00:00:00/check",
        "entity_display_name": RUN + " with High Discrepancies",
        "state_message": RUN + " with High Discrepancies",
        "monitoring_tool": "Airflow",
        "details": "1 of 1 keys differ by more than allowed.\n"
        "5: lost 9 between Agg and DB (90.0 %); allowed 0 and 0.0 %",
        "dag_id": "ep_telemetry_v2",
        "run_id": "run",
        "task_id": "check",
        "vo_annotate.u.Log": "http://airflow/log",
    }
    assert (closed["message_type"], closed["entity_id"]) == ("RECOVERY", opened["entity_id"])
    assert closed["state_message"] == RUN + " successfully"


def test_an_incident_is_one_of_a_window_and_of_a_mapped_task_s_index(context, alerts):
    context["ti"].map_index = 3
    paging(window="2016-04-28", environment=None).execute(context)
    assert [alert["entity_id"] for alert in alerts.victorops()] == [
        "airflow/default/ep_telemetry_v2/2016-04-28/check[3]"
    ]


@pytest.mark.parametrize("conn_id", [None, "", "victorops"], ids=repr)
def test_a_first_try_that_finds_nothing_tells_victorops_nothing(context, alerts, conn_id):
    paging(stored=10, victorops_conn_id=conn_id).execute(context)
    assert alerts.received == []
