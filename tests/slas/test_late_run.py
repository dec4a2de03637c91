"""Airflow 2.11's own check of SLAs, over a database in which a run is there, or is still to come, or never will be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3

DAG_FILE = """
import os
from datetime import timedelta

import pendulum
from airflow.timetables.trigger import CronTriggerTimetable
from airflow_agari_provider.airflow_compat import DAG, BaseOperator
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import set_slas

HOUR, BEGIN = timedelta(hours=1), pendulum.parse(os.environ["BEGIN"])
ALERT = VictorOpsSlaMissNotifier(victorops_conn_id="victorops")
MOMENTS = CronTriggerTimetable(f"{BEGIN.minute} * * * *", timezone="UTC")
SCHEDULES = {"intervals": HOUR, "moments": MOMENTS, "alone": HOUR}

for name, schedule in SCHEDULES.items():
    with DAG(name, schedule=schedule, start_date=BEGIN, catchup=False) as dag:
        load = BaseOperator(task_id="load")
    globals()[name] = dag
    if name == "alone":
        load.sla = timedelta(minutes=1)
        dag.sla_miss_callback = ALERT
    else:
        set_slas(dag, {"load": timedelta(minutes=1)}, alerts=[ALERT], claims="sql:claims")
"""

CHECK = """
import json, os, sys

import pendulum
from airflow import settings
from airflow.dag_processing.processor import DagFileProcessor
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dagbag import DagBag
from airflow.models.slamiss import SlaMiss
from airflow.providers.fab.auth_manager import models  # noqa: F401 - whose tables Airflow's refer to
from airflow.timetables.base import DataInterval
from airflow.utils.db import synchronize_log_template
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType

import_all_models()
Base.metadata.create_all(settings.engine)  # a migration takes many times as long
synchronize_log_template()
steps, *dag_ids = sys.argv[1:]
bag = DagBag(os.environ["FOLDER"], read_dags_from_db=False)
before = pendulum.parse(os.environ["BEFORE"])


def create(dag, hours, state):
    start = before.add(hours=hours)
    interval = DataInterval.exact(start) if dag.dag_id == "moments" else DataInterval(start, start.add(hours=1))
    with create_session() as session:
        run = dag.create_dagrun(
            DagRunState.RUNNING, start, data_interval=interval, run_type=DagRunType.SCHEDULED, session=session
        )
        for ti in run.get_task_instances(session=session):
            ti.state = state


def notified():
    with create_session() as session:
        return [bool(sent) for (sent,) in session.query(SlaMiss.notification_sent).filter_by(dag_id=dag_id)]


for dag_id in dag_ids:
    dag = bag.get_dag(dag_id)
    dag.sync_to_db()
    create(dag, 0, TaskInstanceState.SUCCESS)
    results = []
    for step in steps.split():
        if step == "check":
            DagFileProcessor.manage_slas(os.environ["FOLDER"], dag_id)
            results.append(notified())
        else:
            create(dag, {"the-late-one": 1, "the-one-after": 2}[step], TaskInstanceState.RUNNING)
    print("\\n" + json.dumps([before.add(hours=1).isoformat()[:19], results]))
"""


@pytest.fixture
def checked(tmp_path, sqlite_path, alerts, monkeypatch):
    """
    Runs the steps in an Airflow of its own, some hours and a half after the run that succeeded: that many are due.

    Returns the late run's date, and after each check whether each recorded miss is marked as notified, for each DAG.
    """
    (tmp_path / "dag.py").write_text(DAG_FILE)
    settings = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW_CONN_CLAIMS": json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}),
        "FOLDER": str(tmp_path / "dag.py"),
    }

    def run(steps: str, *dag_ids: str, due: int = 1) -> tuple[str, list[list[list[bool]]]]:
        before = (datetime.now(UTC) - timedelta(hours=due + 1, minutes=30)).replace(second=0, microsecond=0)
        moments = {"BEGIN": (before - timedelta(days=30)).isoformat(), "BEFORE": before.isoformat()}
        command = [sys.executable, "-W", "ignore", "-c", CHECK, steps, *dag_ids]
        done = subprocess.run(command, env={**os.environ, **settings, **moments}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["2')]
        return answers[0][0], [results for _, results in answers]

    return run


if not AIRFLOW_3:  # which has no such check

    def test_a_run_that_airflow_misses_before_it_creates_it_is_told_when_it_is_there(checked, alerts):
        date, results = checked("check check the-late-one check check", "intervals", "alone")
        # What set_slas watches is looked at until it has come in
        assert results == [[[False], [False], [False], [False]], [[False], [False], [True], [True]]]
        assert [alert["state_message"] for alert in alerts.victorops()] == [
            f"intervals SLA Miss for task load on {date}",
            f"alone SLA Miss for task load on {date}",
        ]

    def test_of_two_late_runs_each_is_told_when_it_is_there(checked, alerts):
        date, results = checked("check the-late-one check the-one-after check", "intervals", "alone", due=2)
        assert results == [[[False, False]] * 3, [[False, False], [True, False], [True, True]]]
        following = (datetime.fromisoformat(date) + timedelta(hours=1)).isoformat()
        assert [alert["state_message"] for alert in alerts.victorops()] == [
            f"{dag_id} SLA Miss for task load on {moment}"
            for dag_id in ("intervals", "alone")
            for moment in (date, following)
        ]

    def test_a_run_that_was_skipped_is_not_waited_for(checked, alerts):
        _, results = checked("check the-one-after check", "intervals", "alone")
        assert results == [[[False], [True]]] * 2
        assert alerts.received == []

    def test_a_schedule_of_moments_counts_from_the_moment(checked, alerts):
        """... though Airflow finds a miss only when the next moment's SLA would be over too."""
        date, results = checked("check the-late-one check", "moments")
        assert results == [[[False], [False]]]
        (alert,) = alerts.victorops()
        assert alert["state_message"] == f"moments SLA Miss for task load on {date}"
        assert alert["details"].startswith("Late by 1 h")
