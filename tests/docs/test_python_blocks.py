"""Each Python block of the documentation is part of a DAG file that this Airflow reads, and most of them are run."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3, DAG
from tests.avro.scored_messages import messages
from tests.docs.blocks import PAGES, ROOT, blocks, blocks_of
from tests.docs.python_blocks import dag_file, run
from tests.queues.letters import notification

WITH_PYTHON = [page for page in PAGES if list(blocks_of(page, "python"))]
ACCOUNT = "123456789012"  # of the queues in the examples, and of the embedded AWS


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_the_blocks_of_a_page_are_a_dag_file_that_airflow_can_store(page):
    if AIRFLOW_3:
        from airflow.serialization.serialized_objects import DagSerialization as Serialized
    else:
        from airflow.serialization.serialized_objects import SerializedDAG as Serialized

    dags = {id(value): value for value in run(page).values() if isinstance(value, DAG)}.values()
    assert len(dags) == dag_file(page).count("with DAG(")
    for dag in dags:
        assert dag.tasks
        Serialized.to_dict(dag)


def test_the_pages_have_examples():
    assert len(WITH_PYTHON) > 7
    assert len(blocks("python")) > 15


def hours() -> list[str]:
    """The hours that a run may be for that starts now."""
    return [f"{datetime.now(UTC) - timedelta(hours=back):%Y-%m-%dT%H}" for back in (0, 1, 2)]


RUN = """
import json, runpy, sys

from airflow_agari_provider.airflow_compat import DAG

dag, *_ = (one for one in runpy.run_path(sys.argv[1]).values() if isinstance(one, DAG))
run = dag.test()
print("RESULT", json.dumps({ti.task_id: str(ti.state) for ti in run.get_task_instances()}))
"""


@pytest.fixture(scope="module")
def empty_airflow(tmp_path_factory):
    """The metadata database of a new Airflow."""
    folder = tmp_path_factory.mktemp("airflow")
    settings = {"AIRFLOW_HOME": str(folder), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db"}
    script = "from airflow.utils.db import initdb; initdb()"
    subprocess.run([sys.executable, "-c", script], env=os.environ | settings, check=True, timeout=300)
    return folder / "airflow.db"


@pytest.fixture
def run_page(aws, tmp_path, alerts, mails, empty_airflow):
    """Run the first DAG of a page with ``airflow dags test``'s own method; return the states of its tasks."""
    services = alerts.connections()
    connections = {
        "AWS_DEFAULT": json.dumps(
            {
                "conn_type": "aws",
                "extra": {"endpoint_url": aws, "region_name": "us-east-1"},
                "login": "a",
                "password": "b",
            }
        ),
        "SLACK_DEFAULT": services["slack_api"],
        "VICTOROPS_DEFAULT": services["victorops"],
        "SMTP_DEFAULT": os.environ["AIRFLOW_CONN_SMTP_DEFAULT"],
        "SCORING_DB": json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "scoring.db")}),
        "REPORTING_DB": json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "scoring.db")}),
    }
    (tmp_path / "dags").mkdir()
    shutil.copy(empty_airflow, tmp_path)
    environment = {
        **os.environ,
        **{f"AIRFLOW_CONN_{name}": value for name, value in connections.items()},
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
    }

    def run_it(name: str, **other_words: str) -> dict[str, str]:
        text = dag_file(ROOT / "docs" / name)
        for words, instead in other_words.values():
            assert words in text
            text = text.replace(words, instead)
        (tmp_path / "dags" / "page.py").write_text(text)
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(tmp_path / "dags" / "page.py")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        assert results, done.stdout[-3000:] + done.stderr[-3000:]
        states = json.loads(results[0].removeprefix("RESULT "))
        assert set(states.values()) == {"success"}, done.stdout[-5000:] + done.stderr[-5000:]
        return states

    return run_it


@pytest.fixture
def importer_queue(sqs):
    """The queue of the examples, with a dead-letter queue."""
    queue, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("importer", "importer-dead"))
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:importer-dead", "maxReceiveCount": 3}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": json.dumps(policy)})
    return queue, dead


def test_the_import_loads_the_queue_and_the_hour(run_page, s3, sqs, importer_queue, tmp_path):
    s3.create_bucket(Bucket="scored")
    for number, hour in enumerate(hours()):
        body = messages(3, first=3 * number, hour=hour)
        s3.put_object(Bucket="scored", Key=f"hour={hour}/part-0.avro", Body=body)
    record = {"s3": {"bucket": {"name": "scored"}, "object": {"key": f"hour={hours()[-1]}/part-0.avro"}}}
    body = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", **record}]}
    sqs.send_message(QueueUrl=importer_queue[0], MessageBody=json.dumps(body))
    quick = ('count_by="org_id",', 'count_by="org_id", wait_time_seconds=1,')
    assert set(run_page("avro_s3_import.md", quick=quick)) == {"import_scored_messages", "reload_the_hour"}
    with closing(sqlite3.connect(tmp_path / "scoring.db")) as database:
        loaded = dict(database.execute("SELECT hour, count(*) FROM scored_messages GROUP BY hour"))
    assert set(loaded.values()) == {3}
    assert len(loaded) == 2  # the hour in the queue, and the run's own


def test_the_files_of_the_run_s_hour_are_waited_for(run_page, s3, sqs, importer_queue, tmp_path):
    s3.create_bucket(Bucket="scored")
    for number, hour in enumerate(hours()):
        key = f"hour={hour}/part-0.avro"
        s3.put_object(Bucket="scored", Key=key, Body=messages(3, first=3 * number, hour=hour))
        sqs.send_message(QueueUrl=importer_queue[0], MessageBody=notification(key, bucket="scored"))
    quick = ("create_table=True,", "create_table=True, wait_time_seconds=1,")
    assert set(run_page("avro_s3_loaded.md", quick=quick)) == {"import_scored_messages", "wait_for_own_files"}


def test_dead_letters_are_archived_below_the_day_of_the_run(run_page, s3, sqs, importer_queue):
    s3.create_bucket(Bucket="messages")
    sqs.send_message(QueueUrl=importer_queue[1], MessageBody="poison")
    run_page("sqs_dead_letters.md")
    (stored,) = s3.list_objects_v2(Bucket="messages")["Contents"]
    assert stored["Key"].startswith(f"dead-letters/{datetime.now(UTC):%Y-%m-%d}/")


def test_the_queue_drains(run_page, s3, importer_queue):
    s3.create_bucket(Bucket="messages")
    run_page(
        "sqs_drain.md",
        soon=("macros.timedelta(minutes=10)", "macros.timedelta(seconds=1)"),
        quiet=("timeout=3600", "timeout=60, quiet_period=2, poke_interval=0.5"),
        none_sent=("return 1", "return 0"),
    )


def test_counts_are_compared_and_mailed(run_page, tmp_path, mails):
    with closing(sqlite3.connect(tmp_path / "scoring.db")) as database:
        database.execute("CREATE TABLE scored_messages (org_id INTEGER, hour TEXT)")
        for hour in hours():
            rows = [(org, hour) for org, count in ((5, 43115), (7, 73)) for _ in range(count)]
            database.executemany("INSERT INTO scored_messages VALUES (?, ?)", rows)
        database.commit()
    run_page("discrepancy_check.md")
    ((_, mail),) = mails
    assert mail["subject"].endswith("successfully")
