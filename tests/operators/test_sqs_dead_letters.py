"""The report and the purge of dead letters, on queues of moto, a Slack webhook and the importer's ledger."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_agari_provider.airflow_compat import DAG
from airflow_agari_provider.operators.sqs_dead_letters import SqsDeadLetterReportOperator
from airflow_agari_provider.queues.depth import QueueDepth, read_depth
from tests.operators.dead_letters import HOST, NOTIFICATION, OTHER, OURS, context_of_run, report, send


@pytest.fixture
def ledger(cleared_postgres_uri, monkeypatch):
    """Writes why an object could not be imported into the database that ``airflow`` knows as ``scoring``."""
    import psycopg2

    from airflow_agari_provider.avro_import.failures import record_failure
    from airflow_agari_provider.avro_import.ledger_tables import create_import_tables
    from airflow_agari_provider.databases.dialects import dialect_of

    parts = urlsplit(cleared_postgres_uri)
    fields = {"host": parse_qs(parts.query)["host"][0], "login": parts.username, "schema": parts.path.lstrip("/")}
    monkeypatch.setenv("AIRFLOW_CONN_SCORING", json.dumps({"conn_type": "postgres", **fields}))
    with closing(psycopg2.connect(cleared_postgres_uri)) as connection:
        dialect = dialect_of(connection)
        create_import_tables(dialect, connection)
        yield lambda *failure: record_failure(dialect, connection, *failure)


@pytest.fixture
def context():
    return context_of_run()


def test_slack_is_told_in_the_published_words(sqs, queue_url, context, alerts):
    send(sqs, queue_url, "<scored> & bad", ErrorMessage="ValueError: no such column: <trust>")
    result = report(queue_url, slack_conn_id="slack_hook").execute(context)
    (cause,) = result.pop("causes")
    assert cause.pop("oldest_sent_at") > 1_400_000_000
    assert cause == {"exception": "ValueError: no such column: <trust>", "count": 1, "sample": "<scored> & bad"}
    assert result == {
        "queue_url": queue_url,
        "count": 1,
        "sample": "<scored> & bad",
        "exception": "ValueError: no such column: <trust>",
        "source": None,
        "objects": [],
    }
    (post,) = alerts.slack()
    assert post["text"] == (
        "ep_telemetry_v2 on etl-00.ep-old.prod.agari.com completed 2016-02-26 03:00:00 with 1 DLQs : Sample Exception"
    )
    assert [block["text"]["text"] for block in post["blocks"]] == [
        post["text"],
        "```ValueError: no such column: &lt;trust&gt;```",
        "```&lt;scored&gt; &amp; bad```",
    ]


def test_prefix_and_host_may_be_given(sqs, queue_url, context, alerts):
    send(sqs, queue_url, "scored")
    report(queue_url, slack_conn_id="slack_hook", message_prefix="EP_STAGE - ", host="etl").execute(context)
    assert alerts.slack()[0]["text"].startswith(
        "EP_STAGE - ep_telemetry_v2 on etl completed 2016-02-26 03:00:00 with 1 "
    )


def test_slack_is_silent_without_dead_letters(queue_url, context, alerts):
    result = report(queue_url, slack_conn_id="slack_hook").execute(context)
    assert (result["count"], result["sample"], alerts.slack()) == (0, None, [])


def test_dead_letters_open_an_incident_and_a_later_try_without_any_closes_it(sqs, queue_url, context, alerts):
    operator = report(queue_url, victorops_conn_id="victorops", message_prefix="EP_STAGE - ")
    operator.execute(context)
    assert alerts.received == []
    send(sqs, queue_url, "scored", ErrorMessage="ValueError: no such column")
    operator.execute(context)
    sqs.purge_queue(QueueUrl=queue_url)
    context["ti"].try_number = 2
    operator.execute(context)
    opened, closed = alerts.victorops()
    completed = f"EP_STAGE - ep_telemetry_v2 on {HOST} completed 2016-02-26 03:00:00"
    entity_id = "airflow/default/ep_telemetry_v2/2016-02-26 03:00:00/report"
    assert (opened["message_type"], opened["entity_id"]) == ("CRITICAL", entity_id)
    assert (opened["state_message"], opened["details"]) == (
        f"{completed} with 1 DLQs : Sample Exception",
        "ValueError: no such column",
    )
    assert (closed["message_type"], closed["entity_id"]) == ("RECOVERY", entity_id)
    assert closed["state_message"] == f"{completed} with 0 DLQs"


@pytest.mark.parametrize(
    "failure", [404, (429, {"Retry-After": "3600"}), "no connection"], ids=["refused", "postponed", "no connection"]
)
def test_a_page_that_cannot_be_sent_keeps_neither_slack_nor_the_report_back(sqs, queue_url, context, alerts, failure):
    alerts.gate = lambda path, *_: failure if path.startswith("/integrations/") else None
    send(sqs, queue_url, "scored")
    conn_id = "unknown" if failure == "no connection" else "victorops"
    result = report(queue_url, slack_conn_id="slack_hook", victorops_conn_id=conn_id).execute(context)
    assert (result["count"], len(alerts.slack()), alerts.victorops()) == (1, 1, [])


def test_the_queue_keeps_its_messages_visible(sqs, queue_url, context):
    for number in range(3):
        send(sqs, queue_url, f"dead {number}")
    assert report(queue_url).execute(context)["count"] == 3
    assert read_depth(sqs, queue_url) == QueueDepth(3, 0, 0)


def test_the_ledger_tells_the_exception_of_an_object_that_could_not_be_imported(sqs, queue_url, context, ledger):
    ledger("agari", "scored/hour=05/part-0.avro", "block 3 is truncated", "run-1")
    send(sqs, queue_url, NOTIFICATION)
    result = report(queue_url, sql_conn_id="scoring").execute(context)
    assert result["exception"] == "block 3 is truncated"
    assert result["objects"] == ["s3://agari/scored/hour=05/part-0.avro"]


def test_the_ledger_tells_why_a_message_was_none_of_s3(sqs, queue_url, context, ledger):
    message_id = send(sqs, queue_url, "hello")
    ledger("", message_id, "no notification of S3", "run-1")
    assert report(queue_url, sql_conn_id="scoring").execute(context)["exception"] == "no notification of S3"


def test_a_ledger_that_knows_nothing_leaves_the_exception_open(sqs, queue_url, context, ledger):
    send(sqs, queue_url, NOTIFICATION)
    assert report(queue_url, sql_conn_id="scoring").execute(context)["exception"] is None


def test_a_long_body_is_cut_in_the_result(sqs, queue_url, context):
    send(sqs, queue_url, "x" * 100_000)
    sample = report(queue_url).execute(context)["sample"]
    assert sample == "x" * 4000 + "… (100000 characters)"


@pytest.mark.parametrize(
    ("dag_run", "completed"),
    [
        pytest.param(
            {"data_interval_start": datetime(2016, 2, 26, 3, tzinfo=UTC), "logical_date": None},
            "2016-02-26 03:00:00",
            id="the window",
        ),
        pytest.param(
            {"data_interval_start": None, "logical_date": datetime(2016, 2, 26, 3, tzinfo=UTC)},
            "2016-02-26 03:00:00",
            id="the logical date",
        ),
        pytest.param(
            {"data_interval_start": None, "logical_date": None, "run_after": datetime(2026, 11, 21, 9, 5, tzinfo=UTC)},
            "2026-11-21 09:05:00",
            id="a run without one",
        ),
    ],
)
def test_the_message_tells_the_beginning_of_the_window(dag_run, completed):
    with DAG("ep_telemetry_v2", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC)):
        operator = SqsDeadLetterReportOperator(task_id="report", queue_url="https://sqs/{{ name }}")
    operator.render_template_fields({"dag_run": SimpleNamespace(**dag_run), "name": "dead"})
    assert (operator.completed, operator.queue_url) == (completed, "https://sqs/dead")


def test_a_run_that_shares_the_queue_reports_its_own_letters_only(sqs, queue_url, context, alerts, ledger):
    ledger("agari", "scored/hour=05/part-0.avro", "block 3 is truncated", "run-1")
    for body in (OTHER, OTHER, NOTIFICATION):
        send(sqs, queue_url, body)
    result = report(queue_url, slack_conn_id="slack_hook", sql_conn_id="scoring", **OURS).execute(context)
    assert result == {
        "queue_url": queue_url,
        "count": 1,
        "sample": NOTIFICATION,
        "exception": "block 3 is truncated",
        "source": None,
        "objects": ["s3://agari/scored/hour=05/part-0.avro"],
        "other_runs": 2,
        "unclaimed": 0,
        "unseen": 0,
    }
    (post,) = alerts.slack()
    assert post["text"].endswith(" completed 2016-02-26 03:00:00 with 1 DLQs : Sample Exception")
    assert read_depth(sqs, queue_url) == QueueDepth(3, 0, 0)


def test_letters_of_other_runs_alone_alert_nobody(sqs, queue_url, context, alerts):
    send(sqs, queue_url, OTHER)
    conns = {"slack_conn_id": "slack_hook", "victorops_conn_id": "victorops"}
    result = report(queue_url, **conns, **OURS).execute(context)
    assert (result["count"], result["other_runs"], result["sample"], alerts.received) == (0, 1, None, [])


def test_an_unclaimed_letter_is_told_by_every_run_and_opens_one_incident(sqs, queue_url, context, alerts):
    send(sqs, queue_url, "hello", ErrorMessage="no notification of S3")
    conns = {"slack_conn_id": "slack_hook", "victorops_conn_id": "victorops"}
    for hour in ("05", "06"):
        operator = report(queue_url, objects_below=f"s3://agari/scored/hour={hour}/", **conns)
        operator.completed = f"2016-02-26 {hour}:00:00"
        assert operator.execute(context)["unclaimed"] == 1
    first, second = alerts.slack()
    assert first["text"].endswith(" completed 2016-02-26 05:00:00 with 0 DLQs and 1 unclaimed : Sample Exception")
    assert second["text"].endswith(" completed 2016-02-26 06:00:00 with 0 DLQs and 1 unclaimed : Sample Exception")
    _, note, exception, sample = (block["text"]["text"] for block in first["blocks"])
    assert note == (
        "1 unclaimed dead letter(s): they name no object, or nobody has removed them for a day. Every run reports "
        "them, and no purge with objects_below removes them."
    )
    assert (exception, sample) == ("```no notification of S3```", "```hello```")
    incident = "airflow/default/ep_telemetry_v2/unclaimed/report"
    assert [(page["entity_id"], page["message_type"]) for page in alerts.victorops()] == [(incident, "CRITICAL")] * 2


def test_an_incident_stays_open_while_letters_are_unseen(sqs, queue_url, context, alerts):
    send(sqs, queue_url, NOTIFICATION)
    sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=600)
    context["ti"].try_number = 2
    conns = {"slack_conn_id": "slack_hook", "victorops_conn_id": "victorops"}
    result = report(queue_url, max_seconds=0.1, **conns, **OURS).execute(context)
    assert (result["count"], result["unseen"]) == (0, 1)
    assert alerts.slack()[0]["text"].endswith(" with at least 0 DLQs")
    assert alerts.victorops() == []
