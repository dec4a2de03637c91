from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_agari_provider.streams.errors import MissingStream
from airflow_agari_provider.streams.kinesis import KinesisStream
from airflow_agari_provider.streams.lag import LagUnknown, StreamLag, stream_lag
from tests.streams.conftest import SQLITE
from tests.streams.producing import Registry, records_of, run_import, scored

REGISTRY = Registry()


@pytest.fixture
def lag(connect: Any, kinesis: Any, producer: Any) -> Any:
    def lag(stream: str = "nrt") -> StreamLag:
        with closing(connect()) as connection:
            return stream_lag(connection, KinesisStream(kinesis, stream, patience=1), "scored")

    return lag


def test_a_table_is_behind_by_the_oldest_record_that_it_lacks(connect, kinesis, producer, lag):
    assert (lag().begun, lag().loaded(datetime.now(UTC))) == (False, False)
    producer.put([scored(1)], place=0)
    run_import(connect, kinesis, registry=REGISTRY)
    later = datetime.now(UTC) + timedelta(days=1)
    assert (lag().behind, lag().loaded(later)) == (0, True)

    producer.put([scored(2), scored(3)], place=0)
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    records_of("shardId-000000000000")[1].created_at_datetime = hour_ago
    found = lag()
    assert (found.shards, found.lagging(later), 3600 <= found.behind < 3700) == (2, ["shardId-000000000000"], True)
    assert (found.loaded(hour_ago), found.loaded(hour_ago + timedelta(seconds=1))) == (True, False)
    assert "1 of 2 shard(s) have records from before" in found.text(later)

    run_import(connect, kinesis, registry=REGISTRY)
    assert lag().figures(later) == {
        "shards": 2,
        "lagging_shards": [],
        "behind_seconds": 0.0,
        "up_to": later.isoformat(),
    }


@SQLITE
def test_children_that_the_import_has_not_seen_count(connect, kinesis, producer, lag):
    producer.put([scored(1)], place=0)
    run_import(connect, kinesis, registry=REGISTRY)
    producer.split("shardId-000000000000")
    producer.put([scored(2)], place=0)
    later = datetime.now(UTC) + timedelta(days=1)
    assert lag().lagging(later) == ["shardId-000000000002"]
    run_import(connect, kinesis, registry=REGISTRY)
    assert lag().loaded(later)


@SQLITE
def test_a_database_that_is_locked_is_unknown_and_a_missing_stream_an_error(
    sqlite_path, connect, kinesis, producer, lag
):
    run_import(connect, kinesis, registry=REGISTRY)
    with pytest.raises(MissingStream):
        lag("other")
    with (
        closing(sqlite3.connect(sqlite_path, isolation_level=None)) as other,
        closing(sqlite3.connect(sqlite_path, timeout=0.05)) as connection,
    ):
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LagUnknown, match="locked"):
            stream_lag(connection, KinesisStream(kinesis, "nrt"), "scored")
