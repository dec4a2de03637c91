"""Defer the task instances of a run as workers do: a trigger for each. Runs in an Airflow's environment."""

from __future__ import annotations

import dataclasses
import sys
import time
from datetime import UTC, datetime

from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session

from airflow_agari_provider.queues.drain_watch import DrainWatch
from airflow_agari_provider.triggers.sqs_drain import SqsDrainTrigger

AWS = {"aws_conn_id": "aws_default", "region_name": None}
A_DAY = 86400


def defer(dag_id: str, account: str, interval: float) -> None:
    """
    Defer every task instance of a DAG, which Airflow itself has made, and print when that was.

    :param account: address of the queues, without their names.
    """
    with create_session() as session:
        for number, instance in enumerate(session.query(TaskInstance).filter(TaskInstance.dag_id == dag_id)):
            urls = [f"{account}/{kind}-{number}" for kind in ("queue", "dead")]
            watch = DrainWatch(urls[:1], urls[1:], poll_interval=interval, stall_timeout=None)
            trigger = Trigger.from_object(SqsDrainTrigger(dataclasses.asdict(watch), AWS, time.time() + A_DAY))
            session.add(trigger)
            session.flush()
            instance.state, instance.trigger_id = "deferred", trigger.id
            instance.next_method, instance.next_kwargs = "execute_complete", {}
            instance.start_date = datetime.now(UTC)
    print(time.time())


if __name__ == "__main__":
    defer(sys.argv[1], sys.argv[2], float(sys.argv[3]))
