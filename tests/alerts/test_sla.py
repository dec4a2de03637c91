from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.sla import Run, Watch, miss_of, recovery_of

DUE = datetime(2016, 2, 26, 19, 30, tzinfo=UTC)
AT = DUE + timedelta(minutes=2)
RUN = Run("telemetry", "run", datetime(2016, 2, 26, 18, tzinfo=UTC))
WATCH = Watch(
    task_id="load",
    sla=1800,
    alerts=[
        {"after": 0, "notifier": "x", "recovery": None, "fallback": None},
        {"after": 900, "notifier": "y", "recovery": None, "fallback": None},
    ],
    claims="sql:claims",
    environment="EP_STAGE",
    owner="ada",
    upstream=["extract", "load"],
)


def link(dag_id, run_id, task):
    return f"https://airflow/{run_id}" + (f"/{task.name}" if task else "")


def miss(watch=WATCH, run_state="running", **states):
    tasks = [TaskInState(task_id, state) for task_id, state in states.items()]
    return miss_of(watch, RUN, run_state, tasks, DUE, AT, link, set)


def test_a_late_task_is_a_miss_with_all_that_is_known():
    found = miss(extract="running", load=None, aside="running")
    assert found.text == "EP_STAGE - telemetry SLA Miss for task load on 2016-02-26T18:00:00"
    assert found.details == "Late by 2 min, due 2016-02-26 19:30:00 UTC, owner ada"
    assert found.blocking == (TaskInState("extract", "running", url="https://airflow/run/extract"),)
    assert (found.run_url, found.task_url) == ("https://airflow/run", "https://airflow/run/load")


def test_the_link_of_a_mapped_task_leads_to_an_index_that_is_not_done():
    tasks = [TaskInState("load", "success", 0), TaskInState("load", "running", 1)]
    assert miss_of(WATCH, RUN, "running", tasks, DUE, AT, link, set).task_url == "https://airflow/run/load[1]"


@pytest.mark.parametrize("state", ["success", "skipped"])
def test_a_task_in_time_is_not_a_miss(state):
    assert miss(load=state) is None


@pytest.mark.parametrize(
    ("when_failed", "found"),
    [("page", ("failed", False)), ("downgrade", ("failed", True)), ("skip", None)],
)
def test_a_failed_task_is_told_as_its_owner_wants(when_failed, found):
    told = miss(replace(WATCH, when_failed=when_failed), load="failed")
    assert (told and (told.standing, told.downgraded)) == found


def test_a_late_task_that_has_not_failed_pages_in_any_case():
    assert miss(replace(WATCH, when_failed="skip"), load="up_for_retry").standing == "late"


def test_a_consequence_of_a_failure_that_another_alert_tells_is_silent():
    watch = replace(WATCH, reported_later=[None])
    assert miss(watch, "failed", extract="failed", load="upstream_failed") is None
    assert miss(watch, "failed", extract="success", load="failed") is not None
    assert miss(replace(watch, task_id=None), "failed", extract="failed", load="upstream_failed").standing == "failed"


def test_a_recovery_has_the_identity_of_the_miss():
    recovery = recovery_of(WATCH, RUN, DUE, AT, link)
    assert recovery.entity_id == miss(load="running").entity_id
    assert recovery.details == "Finished 2 min late, owner ada"


def test_it_has_a_name_for_people():
    assert [WATCH.name, WATCH.step(900).name] == ["load within 30 min", "load within 30 min, + 15 min"]
    assert replace(WATCH, task_id=None, by="06:00:00 UTC").name == "the run by 06:00:00 UTC"


def test_it_travels_as_json():
    assert Watch.from_json(WATCH.to_json()) == WATCH


def test_what_a_newer_version_has_added_is_left_out():
    assert Watch.from_json(WATCH.to_json().replace("{", '{"newer": 1, ', 1)) == WATCH


def test_each_step_has_its_alerts():
    assert WATCH.steps == [0, 900]
    assert [alert["notifier"] for alert in WATCH.step(900).alerts] == ["y"]
