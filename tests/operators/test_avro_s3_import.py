from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.airflow_compat import DAG, AirflowFailException, AirflowSkipException, BaseHook
from airflow_agari_provider.databases.dialects import any_dialect_of
from airflow_agari_provider.databases.statements import query
from airflow_agari_provider.databases.warehouses import RedshiftDialect
from airflow_agari_provider.operators.avro_s3_import import NoObjects
from tests.avro.scored_messages import messages
from tests.operators.avro_imports import CONTEXT, operator


@pytest.fixture
def rows(sql_conn_id: str) -> Callable[[str], list[tuple[Any, ...]]]:
    def rows(sql: str) -> list[tuple[Any, ...]]:
        with closing(BaseHook.get_connection(sql_conn_id).get_hook().get_conn()) as connection:
            return query(connection, sql)

    return rows


def test_a_folder_goes_into_every_database(sql_conn_id, s3, bucket, rows):
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"h5/{number}.avro", Body=messages(100, first=number * 100, org_id=number))
    task = operator(s3_url="s3://agari/h5/", count_by="org_id")
    figures = task.execute(CONTEXT)
    assert (figures["objects"], figures["rows"], figures["counts"]) == (3, 300, {"0": 100, "1": 100, "2": 100})
    assert task.execute(CONTEXT) | {"objects": 0, "skipped_objects": 3, "rows": 0} == task.execute(CONTEXT)
    assert rows("SELECT COUNT(*) FROM scored") == [(300,)]
    assert rows("SELECT DISTINCT run FROM agari_import_ledger") == [("ep_telemetry_v2/hourly__05/import/-1",)]


def test_a_queue_goes_into_every_database(sql_conn_id, s3, sqs, bucket, queue_url, rows):
    s3.put_object(Bucket=bucket, Key="5.avro", Body=messages(100))
    entry = {"bucket": {"name": bucket}, "object": {"key": "5.avro"}}
    body = json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": entry}]})
    sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    task = operator(
        queue_url=queue_url,
        mode="upsert",
        key_columns=["org_id", "message_id"],
        wait_time_seconds="0",
        max_messages="9",
    )
    assert task.execute(CONTEXT)["rows"] == 100
    assert rows("SELECT COUNT(*) FROM scored") == [(100,)]


@pytest.mark.parametrize("sql_conn_id", ["sqlite"], indirect=True)
@pytest.mark.parametrize("named", ["importer", "arn:aws:sqs:us-east-1:123456789012:importer"], ids=["name", "ARN"])
def test_a_queue_may_be_named(sql_conn_id, s3, sqs, bucket, queue_url, named):
    s3.put_object(Bucket=bucket, Key="5.avro", Body=messages(100))
    entry = {"bucket": {"name": bucket}, "object": {"key": "5.avro"}}
    body = json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": entry}]})
    sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    assert operator(queue_url=named, wait_time_seconds=0).execute(CONTEXT)["rows"] == 100


def test_a_window_is_replaced_in_every_database(sql_conn_id, s3, bucket, rows):
    s3.put_object(Bucket=bucket, Key="h5/1.avro", Body=messages(10))
    task = operator(s3_url=["s3://agari/h5"], mode="replace", replace_where="hour = '2016-04-28T05'")
    for _ in range(2):
        assert task.execute(CONTEXT)["rows"] == 10
    assert rows("SELECT COUNT(*) FROM scored") == [(10,)]


@pytest.fixture
def sqlite_target(sqlite_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))


def test_an_object_that_no_retry_can_import_fails_the_task_for_good(sqlite_target, s3, bucket):
    s3.put_object(Bucket=bucket, Key="bad.avro", Body=messages(10)[:-1])
    with pytest.raises(AirflowFailException, match=r"s3://agari/bad\.avro, byte \d+: the file is truncated"):
        operator(s3_url="s3://agari/bad.avro").execute(CONTEXT)


def test_an_import_that_leaves_something_out_cannot_be_mistaken_for_a_full_one(sqlite_target, s3, bucket, caplog):
    s3.put_object(Bucket=bucket, Key="bad.avro", Body=messages(10)[:-1])
    task = operator(
        s3_url="s3://agari/bad.avro", on_bad_block="quarantine", quarantine_url="s3://agari/bad", max_bad_blocks="5"
    )
    figures = task.execute(CONTEXT)
    assert (figures["rows"], figures["quarantined_rows"], figures["complete"]) == (0, 10, False)
    assert "INCOMPLETE" in caplog.text
    assert "s3://agari/bad/scored/agari/bad.avro/" in caplog.text


def test_a_missing_table_fails_the_task_for_good(sqlite_target, s3, bucket):
    s3.put_object(Bucket=bucket, Key="a.avro", Body=messages(1))
    with pytest.raises(AirflowFailException, match="create_table"):
        operator(s3_url="s3://agari/a.avro", create_table=False).execute(CONTEXT)


def test_no_objects_mean_what_the_user_says(sqlite_target, s3, bucket):
    with pytest.raises(NoObjects, match="s3://agari/h5"):
        operator(s3_url="s3://agari/h5").execute(CONTEXT)
    with pytest.raises(AirflowSkipException):
        operator(s3_url="s3://agari/h5", if_no_objects="skip").execute(CONTEXT)
    assert operator(s3_url="s3://agari/h5", if_no_objects="ok").execute(CONTEXT)["objects"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"s3_url": "s3://agari/a", "queue_url": "https://sqs/q"},
        {"queue_url": "https://sqs/q", "mode": "replace", "replace_where": "true"},
        {"s3_url": "s3://agari/a", "mode": "merge"},
        {"s3_url": "s3://agari/a", "mode": "upsert"},
        {"s3_url": "s3://agari/a", "if_no_objects": "continue"},
    ],
    ids=str,
)
def test_a_dag_with_arguments_that_do_not_go_together_is_not_parsed(arguments):
    with pytest.raises(ValueError, match=r"exactly one of them|needs s3_url|is one of|go together"):
        operator(**arguments)


def test_templates_are_rendered():
    with DAG("d", schedule=None):
        task = operator(
            queue_url="{{ queue }}",
            mode="upsert",
            key_columns=["{{ key }}"],
            count_by="{{ key }}",
            wait_time_seconds="{{ 1 }}",
        )
    task.render_template_fields({"queue": "https://sqs/q", "key": "id"})
    assert (task.queue_url, task.key_columns, task.count_by) == ("https://sqs/q", ["id"], "id")
    assert task.wait_time_seconds == "1"


def test_parsing_a_dag_imports_nothing_heavy():
    code = (
        "import sys, airflow_agari_provider.airflow_compat; before = set(sys.modules);"
        "import airflow_agari_provider.operators.avro_s3_import;"
        "print({name.split('.')[0] for name in set(sys.modules) - before})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"fastavro", "boto3", "botocore", "psycopg", "psycopg2", "MySQLdb", "cramjam"} & set(eval(found))


def test_a_connection_of_redshifts_driver_is_known():
    """The driver that comes with the Amazon provider."""
    redshift_connector = importlib.import_module("redshift_connector")
    connection = object.__new__(redshift_connector.Connection)  # not connected to anything
    assert type(any_dialect_of(connection)) is RedshiftDialect
