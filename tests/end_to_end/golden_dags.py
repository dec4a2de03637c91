"""
DAGs for every case that the charts have to count right; a real Airflow in ``test_charts.py`` runs them.

Tasks that end sleep for at least 5 seconds. Tasks that have to be at work when the charts are read wait for a file next
to this one, or for an hour.
"""

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import Asset
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.triggers.base import StartTriggerArgs

from airflow_agari_provider.airflow_compat import DAG, BaseOperator
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.slas import set_slas

FOLDER = Path(__file__).parent
HOUR = timedelta(hours=1)
BEGAN = datetime(2026, 1, 1)


def work(fails=None, until=None, ti=None):
    """Sleep, wait for a file if there is to be one, and fail: always, or in the first try alone."""
    time.sleep(5)
    while until and not (FOLDER / until).exists():
        time.sleep(0.5)
    if fails == "always" or (fails == "first" and ti.try_number == 1):
        raise ValueError("it fails on purpose")


def look(enough, ti):
    """Look for two seconds, and see something at the third time, or never."""
    time.sleep(2)
    looks = FOLDER / f"looks-of-{ti.task_id}"
    with looks.open("a") as file:
        file.write("x")
    return enough and looks.stat().st_size >= 3


class Defers(BaseOperator):
    def __init__(self, seconds=6, fails=False, ends_in_trigger=False, **arguments):
        super().__init__(**arguments)
        self.seconds = seconds
        self.trigger = {"end_from_trigger": ends_in_trigger}
        self.fails = fails

    def execute(self, context):
        time.sleep(3)
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=self.seconds), **self.trigger), method_name="resume")

    def resume(self, context, event=None):
        time.sleep(3)
        if self.fails:
            raise ValueError("it fails on purpose")


def seconds_in_a_trigger(seconds, ends):
    name = f"{TimeDeltaTrigger.__module__}.{TimeDeltaTrigger.__name__}"
    return StartTriggerArgs(name, "resume", {"delta": timedelta(seconds=seconds), "end_from_trigger": ends})


class BeginsInTrigger(Defers):
    start_from_trigger = True
    start_trigger_args = seconds_in_a_trigger(6, ends=False)


class NeverOnWorker(Defers):
    start_from_trigger = True
    start_trigger_args = seconds_in_a_trigger(6, ends=True)


def works(task_id, *, delay=timedelta(seconds=5), fails=None, until=None, retries=1, **arguments):
    values = {"op_kwargs": {"fails": fails, "until": until}, "retries": retries, "retry_delay": delay, **arguments}
    return PythonOperator(task_id=task_id, python_callable=work, **values)


def looks(task_id, enough, every):
    values = {"op_args": [enough], "mode": "reschedule", "poke_interval": every}
    return PythonSensor(task_id=task_id, python_callable=look, **values)


def mapped(*indexes):
    again = {"retries": 1, "retry_delay": timedelta(seconds=5)}
    PythonOperator.partial(task_id="mapped", python_callable=work, **again).expand(op_kwargs=list(indexes))


LOADED = Asset("agari-loaded")

with DAG("golden", schedule=None, start_date=BEGAN) as golden:
    EmptyOperator(task_id="empty")
    works("retried", fails="first", outlets=[LOADED])
    works("cleared")
    mapped({}, {"fails": "first"})
    Defers(task_id="deferred", seconds=20)
    Defers(task_id="ends_in_trigger", ends_in_trigger=True)
    BeginsInTrigger(task_id="begins_in_trigger")
    NeverOnWorker(task_id="never_on_worker")
    looks("rescheduled", enough=True, every=8)
set_slas(golden, {"retried": timedelta(hours=9)}, alerts=[SlackSlaMissNotifier()])

with DAG("cut_off", schedule=None, start_date=BEGAN, dagrun_timeout=timedelta(minutes=1)):
    works("cut_off", until="never")

with DAG("halfway", schedule=None, start_date=BEGAN):
    works("waits_for_retry", fails="always", delay=HOUR)
    mapped({}, {}, {"until": "end"}, {"until": "end"})
    looks("looks", enough=False, every=3600)

# no mapped task in it, so nothing is summed in the database
with DAG("by_hand", schedule=None, start_date=BEGAN):
    works("waits_for_retry", fails="always", delay=HOUR)
    works("marked_success", fails="always", delay=HOUR)
    works("marked_failed", fails="always", delay=HOUR)
    works("forgiven", fails="always", retries=0)
    works("cleared", pool="gate") >> works("cleared_after")
    works("retried", fails="first", until="gate-closed", delay=timedelta(0), pool="gate")
    Defers(task_id="deferred", seconds=3600)
    Defers(task_id="deferred_fails", seconds=20, fails=True)

with DAG("rewritten", schedule=None, start_date=BEGAN):
    stays = works("stays", until="{{ dag_run.conf.get('until', '') }}")
    works("gone")  # until the file is rewritten
    stays >> works("gone_before_it_began")  # until the file is rewritten

with DAG("daily", schedule=f"0 {os.environ['GOLDEN_HOUR']} * * *", start_date=BEGAN, catchup=False):
    works("load")

with DAG("told", schedule=[LOADED], start_date=BEGAN):
    works("load")
