"""The replay DAG: a window is loaded again from its scored files, or nothing is changed."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace

import fastavro
import pytest

from airflow_agari_provider.airflow_compat import AirflowFailException
from tests.operators.discrepancy_checks import FakeTaskInstance

PARAMS = {
    "window_start": "2016-04-28T05:00:00Z",
    "window_hours": 1,
    "organisations": [],
    "messages_bucket": "agari",
    "mail_to": "ops@example.com",
}
NOW = datetime(2016, 4, 29, tzinfo=UTC)
SCORED = {
    "type": "record",
    "name": "Scored",
    "fields": [
        {"name": name, "type": kind} for name, kind in (("message_id", "string"), ("org_id", "int"), ("hour", "string"))
    ],
}
SUMMARY = {
    "type": "record",
    "name": "Summary",
    "fields": [
        {"name": name, "type": kind}
        for name, kind in (("org_id", "int"), ("hour", "string"), ("domain", "string"), ("messages", "long"))
    ],
}


@pytest.fixture
def module(load_dag, monkeypatch, sqlite_path):
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
    monkeypatch.setenv("AIRFLOW_CONN_SCORING_DB", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))
    return load_dag("reload_data")


def avro(schema, records):
    file = io.BytesIO()
    fastavro.writer(file, schema, records, codec="deflate")
    return file.getvalue()


@pytest.fixture
def write_scoring(s3, bucket):
    """Write a scoring of one hour, as the Spark job does: 3 messages read, of which 1 is skipped."""

    def write(folder, ids=("a", "b"), manifest=True):
        place = f"2016-04-28T05_1h/{folder}"
        scored = [{"message_id": one, "org_id": 5, "hour": "2016-04-28T05"} for one in ids]
        summary = [{"org_id": 5, "hour": "2016-04-28T05", "domain": "acme.example", "messages": 2}]
        counts = {"read": 3, "scored": 2, "skipped: duplicate": 1}
        lines = "\n".join(json.dumps({"stage": stage, "key": "5", "count": count}) for stage, count in counts.items())
        files = {
            f"scored/{place}/part-0.avro": avro(SCORED, scored),
            f"scored/{place}/_SUCCESS": b"",
            f"summaries/{place}/part-0.avro": avro(SUMMARY, summary),
            f"counts/{place}/part-0.json": lines.encode(),
            f"counts/{place}/_SUCCESS": b"",
        }
        if manifest:
            files["manifests/dt=2016-04-28/hour=05.json"] = json.dumps({"counts": {"5": 3}, "objects": []}).encode()
        for key, body in files.items():
            s3.put_object(Bucket=bucket, Key=key, Body=body)

    return write


def find(module):
    return module.find_scored.function(params=PARAMS, dag_run=None)


def rows(path, table):
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute(f"select * from {table}").fetchall())


def run(module, task_id, found):
    ti = FakeTaskInstance(
        dag_id="reload_data",
        task_id=task_id,
        run_id="manual",
        map_index=-1,
        try_number=1,
        hostname="etl-00",
        log_url="http://airflow/log",
        outputs={
            "prepare.find_scored": found,
            "prepare.get_active_org_ids": ["5", "7"],
            "load.count_sending_domains": 1,
        },
        pushed={},
    )
    task = module.dag.get_task(task_id)
    context = {"ti": ti, "params": PARAMS, "dag_run": SimpleNamespace(logical_date=NOW), "run_id": "manual"}
    task.render_template_fields(context)
    return task.execute(context)


def test_a_window_is_loaded_again_and_reported(module, write_scoring, sqlite_path, mails):
    with closing(sqlite3.connect(sqlite_path)) as connection:
        connection.executescript(
            "create table scored_messages (message_id text, org_id int, hour text);"
            "insert into scored_messages values ('damaged', 5, '2016-04-28T05'), ('other', 5, '2016-04-28T06');"
            "create table nrt_messages (org_id int, hour text, messages int)"
        )
    write_scoring("first/0", ids=("old", "older"))
    write_scoring("second/0")
    found = find(module)
    assert found["place"] == "2016-04-28T05_1h/second/0/"
    for _ in range(2):  # a second reload leaves the same
        run(module, "load.import_scored_messages", found)
        run(module, "load.import_summaries", found)
        assert rows(sqlite_path, "scored_messages") == [
            ("a", 5, "2016-04-28T05"),
            ("b", 5, "2016-04-28T05"),
            ("other", 5, "2016-04-28T06"),
        ]
        assert rows(sqlite_path, "message_summaries") == [(5, "2016-04-28T05", "acme.example", 2)]
    assert module.count_sending_domains.function("2", params=PARAMS, dag_run=None) == 1
    with pytest.raises(AirflowFailException, match="have 2 messages, but 3 were scored"):
        module.count_sending_domains.function("3", params=PARAMS, dag_run=None)
    report = run(module, "report.send_report", found)
    assert report["verdict"] == "ok"
    assert report["rows"] == [
        ["5", 3, 2, 2, 0, 0.0, 0, 2, 66.7, 1, ""],
        ["7", 0, 0, 0, 0, 0.0, 0, 0, 0.0, 0, ""],
    ]
    assert report["skipped"] == {"duplicate": 1}
    ((_, mail),) = mails
    head = mail.get_body(("plain",)).get_content().splitlines()[:6]
    assert head == [
        "Hello,",
        "",
        "reload_data on etl-00 completed 2016-04-28 05:00:00 successfully.",
        "Day: 2016-04-28, 05:00 to 06:00",
        "RDAs: 1",
        "Messages: 2",
    ]


def test_a_window_that_was_never_scored_is_told_before_anything_changes(module, s3, bucket):
    s3.put_object(Bucket=bucket, Key="counts/2016-04-28T05_1h/run/0/part-0", Body=b"")  # the job was lost
    with pytest.raises(
        AirflowFailException, match=r"counts/2016-04-28T05_1h/ has no complete scoring of 2016-04-28, 05"
    ):
        find(module)


def test_scored_files_that_are_missing_are_told_before_anything_changes(module, write_scoring):
    write_scoring("run/0", ids=("a",))
    with pytest.raises(AirflowFailException, match=r"have 1 records, but 2 messages were scored: files are missing"):
        find(module)


def test_a_missing_manifest_is_unknown_and_not_zero(module, write_scoring):
    write_scoring("run/0", manifest=False)
    with pytest.raises(AirflowFailException, match="announces 0 of the 1 hours"):
        find(module)
