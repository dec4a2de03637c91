"""The sensor: one answer whether it pokes or defers, on a stream of moto and an import's checkpoints."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from airflow_agari_provider.airflow_compat import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseHook,
    TaskDeferred,
)
from airflow_agari_provider.sensors.kinesis_lag import KinesisLagSensor
from tests.sensors.ways_to_wait import modes, timeouts
from tests.streams.producing import Registry, records_of, run_import, scored

REGISTRY = Registry()


@pytest.fixture
def target(sqlite_path, monkeypatch):
    """The connection ``target``, to a SQLite database."""
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))


def load(kinesis):
    run_import(BaseHook.get_connection("target").get_hook().get_conn, kinesis, registry=REGISTRY)


def sensor(**arguments):
    where = {"stream": "nrt", "table": "scored", "sql_conn_id": "target", "aws_conn_id": None}
    fast = {"poke_interval": 0.05, "retries": 0, "timeout": 60}
    return KinesisLagSensor(task_id="caught_up", **where | fast | arguments)


def wait(context, **arguments):
    """Result of the task. After each deferral, a new task object goes on with what Airflow has kept."""

    def resumed(deferred):
        assert arguments["deferrable"]
        time.sleep(max((deferred.trigger.moment - datetime.now(UTC)).total_seconds(), 0))
        kwargs = json.loads(json.dumps(deferred.kwargs)) | {"event": None}
        return sensor(**arguments).resume_execution(deferred.method_name, kwargs, context)

    step = partial(sensor(**arguments).execute, context)
    while True:
        try:
            return step()
        except TaskDeferred as deferred:
            step = partial(resumed, deferred)


@modes
def test_it_waits_until_an_import_has_loaded_what_was_there_at_its_first_look(
    kinesis, producer, target, context, deferrable
):
    producer.put([scored(1)])
    load(kinesis)
    producer.put([scored(2)], place=0)
    arrived = datetime.now(UTC) - timedelta(seconds=5)
    records_of("shardId-000000000000")[-1].created_at_datetime = arrived
    later = threading.Timer(0.5, load, [kinesis])
    later.start()
    figures = wait(context, deferrable=deferrable)
    later.join()
    assert figures | {"up_to": ""} == {"shards": 2, "lagging_shards": [], "behind_seconds": 0.0, "up_to": ""}


@modes
def test_what_arrived_at_the_time_or_later_is_not_waited_for(kinesis, producer, target, context, deferrable):
    load(kinesis)
    producer.put([scored(1)], place=0)
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    records_of("shardId-000000000000")[-1].created_at_datetime = hour_ago
    figures = wait(context, up_to=hour_ago.isoformat(), deferrable=deferrable)
    assert figures["lagging_shards"] == []
    assert wait(context, max_lag="3700", deferrable=deferrable)["behind_seconds"] > 3500


@timeouts
def test_records_that_nobody_loads_end_with_the_timeout(kinesis, producer, target, context, mode):
    load(kinesis)
    producer.put([scored(1)], place=0)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    with pytest.raises(AirflowSensorTimeout, match=r"behind stream nrt; 1 of 2 shard\(s\)"):
        wait(context, up_to=later, **mode)
    with pytest.raises(AirflowSkipException):
        wait(context, up_to=later, soft_fail=True, **mode)


@timeouts
def test_a_table_into_which_nothing_was_loaded_yet_is_not_caught_up(kinesis, producer, target, context, mode):
    with pytest.raises(AirflowSensorTimeout, match="has no checkpoint of stream nrt: no import has begun"):
        wait(context, **mode)


@modes
def test_a_stream_that_is_not_there_fails_at_the_first_look(kinesis, producer, target, context, deferrable):
    with pytest.raises(AirflowFailException, match="There is no stream other"):
        wait(context, stream="other", deferrable=deferrable)


def test_a_later_look_keeps_to_the_first_look_and_its_deadline(kinesis, producer, target, context):
    load(kinesis)
    producer.put([scored(1)], place=0)
    kept = {"first_look": "2020-01-01T00:00:00+00:00", "deadline": time.time() + 60, "try_number": 1}
    assert sensor(deferrable=True).look_again(context, kept=kept)["up_to"] == kept["first_look"]
    late = {"first_look": "2999-01-01T00:00:00+00:00", "deadline": time.time() - 1, "try_number": 1}
    with pytest.raises(AirflowSensorTimeout):
        sensor(deferrable=True, timeout=3600).look_again(context, kept=late)


def test_a_time_and_a_lag_are_not_given_together():
    with pytest.raises(ValueError, match="not both"):
        sensor(up_to="2026-01-01T00:00:00+00:00", max_lag=5)
