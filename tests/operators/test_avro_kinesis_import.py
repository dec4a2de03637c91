from __future__ import annotations

import json
import logging
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.airflow_compat import AirflowFailException, BaseHook
from airflow_agari_provider.databases.statements import query
from airflow_agari_provider.operators.avro_kinesis_import import (
    AvroKinesisImportOperator,
    ConfluentRegistry,
    S3SchemaFolder,
)
from airflow_agari_provider.operators.registry_access import ConnectionAccess
from airflow_agari_provider.streams.registry import HttpServer
from airflow_agari_provider.streams.schema_folder import FolderSchemas
from tests.avro.scored_messages import SCORED, message
from tests.operators.avro_imports import CONTEXT
from tests.streams.registry_server import registry_server
from tests.streams.wire import confluent, datum, single_object

ONLY_SQLITE = pytest.mark.parametrize("sql_conn_id", ["sqlite"], indirect=True)


def record(number: int, org_id: int = 1) -> bytes:
    return single_object(SCORED, datum(SCORED, message(number, org_id)))


@pytest.fixture
def folder(s3: Any, bucket: str) -> S3SchemaFolder:
    FolderSchemas(s3, "s3://agari/schemas").register("scored_message", SCORED)
    return S3SchemaFolder("s3://agari/schemas")


def operator(**arguments: Any) -> AvroKinesisImportOperator:
    where = {"table": "scored", "sql_conn_id": "target", "stream": "nrt", "aws_conn_id": None, "create_table": True}
    return AvroKinesisImportOperator(task_id="import", **where | arguments)


def test_a_stream_goes_into_every_database(sql_conn_id, folder, kinesis, producer, caplog):
    caplog.set_level(logging.INFO)
    producer.put([record(number, org_id=number % 2) for number in range(10)])
    task = operator(registry=folder, count_by="org_id", share="0", shares="1", max_seconds="600", until="latest")
    figures = task.execute(CONTEXT)
    assert figures.pop("bytes") == sum(len(record(number, number % 2)) for number in range(10))
    assert figures.pop("reads") >= 2
    assert figures == {
        "shards": 2,
        "records": 10,
        "rows": 10,
        "quarantined_records": 0,
        "quarantined_rows": 0,
        "counts": {"0": 5, "1": 5},
        "uncounted_rows": 0,
        "behind_seconds": 0.0,
        "caught_up": True,
        "gaps": [],
        "complete": True,
    }
    assert "Import of nrt into scored complete" in caplog.text
    assert task.execute(CONTEXT)["rows"] == 0
    with closing(BaseHook.get_connection("target").get_hook().get_conn()) as connection:
        assert query(connection, "SELECT COUNT(*) FROM scored") == [(10,)]
        runs = query(connection, "SELECT DISTINCT run FROM agari_stream_checkpoints")
    assert runs == [("ep_telemetry_v2/hourly__05/import/-1",)]


@ONLY_SQLITE
def test_a_bad_record_is_no_reason_to_retry_and_its_quarantine_is_told(sql_conn_id, folder, kinesis, producer, caplog):
    producer.put([record(1), b"{}"], place=0)
    with pytest.raises(AirflowFailException, match="it begins with 7b 7d, like JSON"):
        operator(registry=folder).execute(CONTEXT)
    figures = operator(
        registry=folder, on_bad_record="quarantine", quarantine_url="s3://agari/bad/", max_bad_records="1"
    ).execute(CONTEXT)
    assert (figures["rows"], figures["quarantined_records"], figures["complete"]) == (1, 1, False)
    assert "Import of nrt into scored INCOMPLETE: 1 records with 1 rows quarantined" in caplog.text


@ONLY_SQLITE
def test_a_registry_is_reached_by_its_connection(sql_conn_id, kinesis, producer, monkeypatch):
    with registry_server() as registry:
        schema_id = registry.add("scored-value", SCORED)
        host, port = registry.server_address[:2]
        login = {"conn_type": "http", "host": host, "port": port, "login": "ann", "password": "secret"}
        monkeypatch.setenv("AIRFLOW_CONN_REGISTRY", json.dumps(login))
        producer.put([confluent(schema_id, datum(SCORED, message(1)))])
        assert operator(registry=ConfluentRegistry("registry")).execute(CONTEXT)["rows"] == 1


@pytest.mark.parametrize(
    ("entry", "server"),
    [
        ({"host": "registry", "port": 8081}, HttpServer("http://registry:8081")),
        ({"host": "registry", "schema": "https"}, HttpServer("https://registry")),
        ({"host": "https://registry/api/"}, HttpServer("https://registry/api")),
        ({"host": "r", "login": "ann", "password": "x"}, HttpServer("http://r", ("ann", "x"))),
        ({"host": "r", "extra": {"X-Key": "1", "timeout": 5}}, HttpServer("http://r", headers={"X-Key": "1"})),
    ],
    ids=["port", "schema", "url", "login", "headers"],
)
def test_an_http_connection_is_read_as_airflow_reads_it(monkeypatch, entry, server):
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY", json.dumps({"conn_type": "http"} | entry))
    assert ConnectionAccess(None, None).http("registry") == server


def test_the_texts_of_a_registry_are_templates():
    task = operator(registry=S3SchemaFolder("s3://{{ params.bucket }}/schemas"), stream="{{ params.stream }}")
    task.render_template_fields({"params": {"bucket": "agari", "stream": "nrt"}})
    assert (task.registry.url, task.stream) == ("s3://agari/schemas", "nrt")


@ONLY_SQLITE
def test_openlineage_is_told_what_was_read_and_written(sql_conn_id, folder, kinesis, producer):
    base = pytest.importorskip("airflow.providers.openlineage.extractors.base")
    producer.put([record(1)])
    task = operator(registry=folder)
    task.execute(CONTEXT)
    lineage = base.DefaultExtractor(task).extract_on_complete(task_instance=None)
    read = [(one.namespace, one.name) for one in lineage.inputs]
    assert read == [("arn:aws:kinesis:us-east-1:123456789012", "stream/nrt")]
    assert lineage.outputs[0].outputFacets["outputStatistics"].rowCount == 1
    task.execute(CONTEXT)  # nothing new
    assert base.DefaultExtractor(task).extract_on_complete(task_instance=None) is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"mode": "replace"}, "mode is one of append, upsert"),
        ({"mode": "upsert"}, "key_columns go together"),
        ({"on_bad_record": "quarantine"}, "quarantine_url go together"),
        ({"on_expired": "skip"}, "on_expired is one of"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused_when_the_dag_is_read(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        operator(**arguments)


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("start", "problem"),
    [("yesterday", "neither TRIM_HORIZON nor LATEST nor a time"), ("2026-03-04T00:00:00", "has no zone")],
)
def test_a_start_that_is_no_time_is_refused(sql_conn_id, producer, start, problem):
    with pytest.raises(ValueError, match=problem):
        operator(start=start).execute(CONTEXT)
