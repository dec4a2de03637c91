"""The sensor: one answer whether it pokes or defers, on objects and queues of moto and the importers' ledger."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial

import boto3
import pytest
from botocore.exceptions import ClientError

from airflow_agari_provider.airflow_compat import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseHook,
    TaskDeferred,
)
from airflow_agari_provider.avro_import.errors import NoObjects
from airflow_agari_provider.avro_import.failures import record_failure
from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.ledger_tables import create_import_tables
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.queues.addresses import NoSuchQueue
from airflow_agari_provider.queues.depth import DepthUnknown, QueueUnreadable
from airflow_agari_provider.sensors.avro_s3_loaded import AvroS3LoadedSensor
from tests.avro.scored_messages import messages
from tests.operators.avro_imports import CONTEXT, operator
from tests.sensors.ways_to_wait import modes, timeouts


@pytest.fixture
def target(sqlite_path, monkeypatch):
    """The connection ``target``, to a SQLite database."""
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))


@pytest.fixture
def put(s3, bucket):
    def put(*keys):
        for key in keys:
            s3.put_object(Bucket=bucket, Key=key, Body=messages(3))

    return put


def load(*urls):
    operator(s3_url=urls).execute(CONTEXT)


def fail(key, reason="block 3 is truncated"):
    with closing(BaseHook.get_connection("target").get_hook().get_conn()) as connection:
        dialect = dialect_of(connection)
        dialect.prepare(connection)
        create_import_tables(dialect, connection)
        record_failure(dialect, connection, "agari", key, reason, "run")


def sensor(**arguments):
    fast = {"quiet_period": "3", "poke_interval": 0.05, "retries": 0, "aws_conn_id": None, "timeout": 60}
    where = {"s3_url": "s3://agari/5/", "table": "scored", "sql_conn_id": "target"}
    return AvroS3LoadedSensor(task_id="loaded", **fast | where | arguments)


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
@pytest.mark.usefixtures("sql_conn_id")
def test_objects_of_every_database_are_found_loaded(put, context, deferrable):
    put("5/a.avro", "5/b.avro", "5/_SUCCESS", "5/_temporary/0/c.avro", "50/d.avro")
    load("s3://agari/5/a.avro", "s3://agari/5/b.avro")
    assert wait(context, deferrable=deferrable) == {
        "objects": 2,
        "loaded": 2,
        "failed": 0,
        "missing": 0,
        "failed_urls": [],
        "missing_urls": [],
    }


@modes
def test_it_waits_until_another_run_s_importer_has_committed(
    sqlite_path, s3, sqs, queue_url, target, put, context, deferrable
):
    """... although the queue was quiet before, and still holds a message of that other run."""
    put("5/a.avro", "5/b.avro", "6/c.avro")
    load("s3://agari/5/a.avro")
    sqs.send_message(QueueUrl=queue_url, MessageBody="of the other run")
    sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=600)
    connection = sqlite3.connect(sqlite_path, check_same_thread=False)
    with closing(Importer(connection, s3, ImportJob("scored", "the other run"))) as importer:
        later = threading.Timer(1, importer.import_object, ["agari", "5/b.avro"])
        later.start()
        assert wait(context, queue_url=queue_url, deferrable=deferrable)["loaded"] == 2
        later.join()


@modes
def test_a_quiet_queue_ends_the_wait_and_the_error_names_the_objects(sqs, queue_url, target, put, context, deferrable):
    put("5/a.avro", "5/b.avro", "5/c.avro")
    load("s3://agari/5/a.avro")
    fail("5/b.avro")
    with pytest.raises(AirflowFailException) as failed:
        wait(context, queue_url=queue_url, deferrable=deferrable)
    assert str(failed.value).startswith(
        "1 of 3 object(s) are in table scored; 1 failed: s3://agari/5/b.avro (block 3 is truncated); "
        "1 without a trace: s3://agari/5/c.avro. The rest will not come: "
    )


def test_the_queue_may_be_named(sqs, queue_url, target, put, context):
    put("5/a.avro")
    arn = "arn:aws:sqs:us-east-1:123456789012:importer"
    assert wait(context, queue_url=["importer", arn], on_missing="warn", quiet_period=0)["missing"] == 1
    with pytest.raises(NoSuchQueue, match="'import' was not found"):
        wait(context, queue_url="import", quiet_period=0)


@modes
def test_a_run_may_pass_with_a_warning(sqs, queue_url, target, put, context, deferrable, caplog):
    put("5/a.avro", "5/b.avro")
    fail("5/b.avro")
    figures = wait(context, queue_url=[queue_url], on_missing="warn", deferrable=deferrable)
    assert figures == {
        "objects": 2,
        "loaded": 0,
        "failed": 1,
        "missing": 1,
        "failed_urls": ["s3://agari/5/b.avro"],
        "missing_urls": ["s3://agari/5/a.avro"],
    }


@timeouts
def test_a_failure_is_final_only_when_no_message_is_left(sqs, queue_url, target, put, context, mode):
    put("5/a.avro")
    fail("5/a.avro")
    sqs.send_message(QueueUrl=queue_url, MessageBody="comes again")
    with pytest.raises(AirflowSensorTimeout, match=r"not loaded in 0 s: 0 of 1 .* 1 failed: s3://agari/5/a.avro"):
        wait(context, queue_url=queue_url, **mode)


@timeouts
def test_without_a_queue_only_the_timeout_ends_the_wait(target, put, context, mode):
    put("5/a.avro")
    with pytest.raises(AirflowSensorTimeout, match=r"1 without a trace: s3://agari/5/a.avro"):
        wait(context, **mode)


def test_a_look_after_a_deferral_keeps_to_the_deadline_of_the_first(target, put, context):
    put("5/a.avro")
    kept = {"watch": None, "deadline": time.time() - 1, "try_number": 1}
    with pytest.raises(AirflowSensorTimeout):
        sensor(deferrable=True, timeout=3600).look_again(context, kept=kept)


@timeouts
def test_soft_fail_skips_at_the_timeout(target, put, context, mode):
    put("5/a.avro")
    with pytest.raises(AirflowSkipException):
        wait(context, soft_fail=True, **mode)


def test_a_database_that_is_locked_is_asked_again(sqlite_path, sqs, queue_url, target, put, context):
    """... and not taken for one that lacks the objects, even though the queue is quiet."""
    put("5/a.avro")
    load("s3://agari/5/a.avro")
    with closing(sqlite3.connect(sqlite_path, check_same_thread=False, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        later = threading.Timer(7, other.rollback)  # SQLite's own patience is 5 s
        later.start()
        assert wait(context, queue_url=queue_url, quiet_period=0, deferrable=True)["loaded"] == 1
        later.join()


@modes
def test_a_queue_that_is_not_there_fails_at_the_first_look(sqs, queue_url, target, put, context, deferrable):
    put("5/a.avro")
    with pytest.raises(QueueUnreadable, match="does not exist"):
        wait(context, queue_url=queue_url + "-misspelt", deferrable=deferrable)


def test_an_unknown_depth_is_not_an_empty_queue(sqs, queue_url, target, put, context, monkeypatch):
    put("5/a.avro")
    answers = []

    def throttle(**_):
        answers.append("throttled")
        if len(answers) > 1:  # the first one asks for the queue's settings
            raise ClientError({"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "x")

    task = sensor(queue_url=queue_url, quiet_period=0, max_unknown=3)
    client = boto3.client("sqs", region_name="us-east-1")
    client.meta.events.register("before-call.sqs.GetQueueAttributes", throttle)
    monkeypatch.setattr("airflow_agari_provider.sensors.avro_s3_loaded.sqs_of", lambda *_: client)
    with pytest.raises(DepthUnknown, match=r"3 poll\(s\) in a row"):
        task.execute(context)


@pytest.mark.parametrize(
    ("if_no_objects", "error", "text"),
    [("fail", NoObjects, "There is no object at s3://agari/5/"), ("skip", AirflowSkipException, "skipped, as")],
)
def test_no_object_fails_or_skips(target, bucket, context, if_no_objects, error, text):
    with pytest.raises(error, match=text):
        wait(context, if_no_objects=if_no_objects)


def test_no_object_may_be_all_right(target, bucket, context):
    assert wait(context, if_no_objects="ok")["objects"] == 0


@pytest.mark.parametrize(
    ("arguments", "poke_interval"),
    [
        ({"deferrable": False}, 30),
        ({"deferrable": True}, 60),
        ({"mode": "reschedule"}, 60),
        ({"poke_interval": timedelta(minutes=2)}, 120),
    ],
)
def test_the_interval_between_two_looks_suits_the_mode(arguments, poke_interval):
    task = AvroS3LoadedSensor(task_id="loaded", s3_url="s3://a/b/", table="t", sql_conn_id="c", **arguments)
    assert task.poke_interval == poke_interval


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"on_missing": "page"}, "on_missing is one of fail, warn"),
        ({"if_no_objects": "wait"}, "if_no_objects is one of fail, skip, ok"),
        ({"mode": "reschedule", "poke_interval": 5, "deferrable": False}, "too short for mode='reschedule'"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        sensor(**arguments)


def test_what_may_differ_by_run_is_templated():
    with DAG("scoring", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        task = sensor(s3_url=["s3://agari/{{ hour }}/"], table="t_{{ hour }}", queue_url="https://sqs/{{ hour }}")
    task.render_template_fields({"hour": "05"})
    assert (task.s3_url, task.table, task.queue_url) == (["s3://agari/05/"], "t_05", "https://sqs/05")
