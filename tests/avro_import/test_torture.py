"""
Kills at random moments, races and doubled messages, over the three databases; ``make torture-import`` is the long form.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.avro_import.torture import Database, Torture

SEED = int(os.environ.get("TORTURE_SEED", "5"))
KILLS = int(os.environ.get("TORTURE_KILLS", "3"))  # over the three databases
OBJECTS = int(os.environ.get("TORTURE_OBJECTS", "12"))  # of each race
IMPORTERS = 4
BIG = int(os.environ.get("TORTURE_BIG", "8000"))  # rows of the largest object of a race
LONG = "TORTURE_REPORT" in os.environ
REPORT = os.environ.get("TORTURE_REPORT")  # a file for the figures, a line each


@pytest.fixture(params=["sqlite3", "psycopg", "MySQLdb"])
def torture(request: pytest.FixtureRequest, aws: str, s3: Any, sqs: Any, bucket: str, queue_url: str) -> Torture:
    pytest.importorskip(request.param)
    if request.param == "sqlite3":
        where: dict[str, Any] = {"database": str(request.getfixturevalue("sqlite_path")), "timeout": 60}
    elif request.param == "psycopg":
        where = {"conninfo": request.getfixturevalue("cleared_postgres_uri")}
    else:
        socket, name = request.getfixturevalue("mariadb_database")
        where = {"unix_socket": socket, "user": "root", "db": name}
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})
    return Torture(Database(request.param, where), s3, sqs, aws, queue_url, random.Random(SEED))


def report(torture: Torture, what: str, seconds: float, **more: Any) -> None:
    figures = {"what": what, "database": torture.database.driver, "objects": torture.objects, "rows": torture.rows}
    figures |= {"messages": torture.sent, "seconds": round(seconds, 1), **torture.figures, **more}
    print(figures)
    if REPORT:
        with Path(REPORT).open("a") as file:
            print(json.dumps(figures), file=file)


def test_importers_killed_at_random_moments_lose_and_double_nothing(torture):
    """... and every message comes twice, to a queue that hides it for less time than a load may take."""
    began = time.monotonic()
    while torture.figures["kills"] < -(-KILLS // 3):
        for _ in range(2):
            torture.put(rows=torture.chance.randrange(500, 4000))
        torture.kill_one(longest=0.6)
    torture.finish(2, torture.queue_url)
    report(torture, "kills", time.monotonic() - began)


RACES = [
    pytest.param("psycopg", "queue", id="PostgreSQL, queue"),
    pytest.param("MySQLdb", "folder", id="MariaDB, folder"),
    *(
        [
            pytest.param("sqlite3", "queue"),
            pytest.param("sqlite3", "folder"),
            pytest.param("psycopg", "folder"),
            pytest.param("MySQLdb", "queue"),
        ]
        * LONG
    ),
]


@pytest.mark.parametrize(("torture", "source"), RACES, indirect=["torture"])
def test_importers_at_once_share_the_work(torture, source):
    began = time.monotonic()
    torture.put(rows=BIG, announce=source == "queue")
    for _ in range(OBJECTS - 1):
        torture.put(rows=100, announce=source == "queue")
    torture.finish(IMPORTERS, torture.queue_url if source == "queue" else None)
    report(torture, f"race for a {source}", time.monotonic() - began, importers=IMPORTERS)
