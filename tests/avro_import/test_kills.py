"""An importer killed anywhere leaves nothing of its object or everything, and the next one finishes the work."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.queue_import import QueueImport
from airflow_agari_provider.queues.depth import read_depth
from tests.avro.scored_messages import messages
from tests.avro_import.import_until_killed import POINTS, job

SCRIPT = Path(__file__).parent / "import_until_killed.py"
ROWS = 3000  # in more than ten blocks
LOADED = ("after the commit", "before the message is deleted", "after the message is deleted")


@pytest.fixture
def queue_of_one_object(s3: Any, sqs: Any, bucket: str, queue_url: str) -> str:
    etag = s3.put_object(Bucket=bucket, Key="scored.avro", Body=messages(ROWS))["ETag"].strip('"')
    entry = {"bucket": {"name": bucket}, "object": {"key": "scored.avro", "eTag": etag}}
    body = json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": entry}]})
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})
    sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    return queue_url


CASES = [
    *[("psycopg", "append", point) for point in POINTS],
    ("sqlite3", "append", "in the middle of the rows"),
    ("sqlite3", "append", "before the commit"),
    ("sqlite3", "append", "before the message is deleted"),
    ("sqlite3", "upsert", "in the middle of the rows"),
    ("psycopg", "upsert", "before the commit"),
    ("psycopg2", "append", "in the middle of the rows"),
]


@pytest.mark.parametrize(("driver", "mode", "point"), CASES, ids=[", ".join(case) for case in CASES])
def test_a_kill_leaves_all_or_nothing_and_the_next_importer_finishes(
    driver, mode, point, request, aws, s3, sqs, queue_of_one_object
):
    module = pytest.importorskip(driver)
    where = str(request.getfixturevalue("sqlite_path" if driver == "sqlite3" else "cleared_postgres_uri"))
    command = [sys.executable, str(SCRIPT), driver, where, aws, queue_of_one_object, mode, point]
    killed = subprocess.run(command, cwd=SCRIPT.parent.parent, capture_output=True, text=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    def count() -> int:
        with closing(module.connect(where)) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute("SELECT COUNT(*) FROM scored")
            except module.Error:
                return 0  # not even the table
            return int(cursor.fetchone()[0])

    assert count() == (ROWS if point in LOADED else 0)

    def connect() -> Importer:
        return Importer(importlib.import_module(driver).connect(where), s3, job(mode))

    rest = QueueImport(sqs, queue_of_one_object, connect, wait_time_seconds=0)
    rest.run()
    found_loaded = [] if point == "after the message is deleted" else [point in LOADED]
    assert [one.skipped for one in rest.imported] == found_loaded
    assert count() == ROWS
    assert read_depth(sqs, queue_of_one_object).total == 0
