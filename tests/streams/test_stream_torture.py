"""
Kills at random moments, races and resharding, over the three databases; ``make torture-stream`` is the long form.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.avro_import.torture import Database
from tests.streams.stream_torture import StreamTorture

SEED = int(os.environ.get("TORTURE_SEED", "5"))
KILLS = int(os.environ.get("TORTURE_KILLS", "3"))  # over the three databases
ROWS = int(os.environ.get("TORTURE_ROWS", "1500"))  # of the race
IMPORTERS = 4
SHARDS = 8
REPORT = os.environ.get("TORTURE_REPORT")  # a file for the figures, a line each


@pytest.fixture(params=["sqlite3", "psycopg", "MySQLdb"])
def torture(request: pytest.FixtureRequest, aws: str, kinesis: Any) -> StreamTorture:
    pytest.importorskip(request.param)
    if request.param == "sqlite3":
        where: dict[str, Any] = {"database": str(request.getfixturevalue("sqlite_path")), "timeout": 60}
    elif request.param == "psycopg":
        where = {"conninfo": request.getfixturevalue("cleared_postgres_uri")}
    else:
        socket, name = request.getfixturevalue("mariadb_database")
        where = {"unix_socket": socket, "user": "root", "db": name}
    kinesis.create_stream(StreamName="nrt", ShardCount=SHARDS)
    return StreamTorture(Database(request.param, where), kinesis, aws, random.Random(SEED))


def report(torture: StreamTorture, what: str, seconds: float, **more: Any) -> None:
    figures = {"what": what, "database": torture.database.driver, "rows": torture.rows, "seconds": round(seconds, 1)}
    figures |= {**torture.figures, **more}
    print(figures)
    if REPORT:
        with Path(REPORT).open("a") as file:
            print(json.dumps(figures), file=file)


def test_importers_killed_at_random_moments_and_at_once_lose_and_double_nothing(torture):
    """... while shards are split and merged; at the end four importers share eight shards, and one is killed."""
    began = time.monotonic()
    while torture.figures["kills"] < -(-KILLS // 3):
        torture.put(torture.chance.randrange(200, 800))
        torture.reshard()
        torture.kill_one(longest=1.0)
    torture.put(ROWS)
    torture.finish(IMPORTERS, kill_first=True)
    report(torture, "kills, resharding, a race", time.monotonic() - began, importers=IMPORTERS)
