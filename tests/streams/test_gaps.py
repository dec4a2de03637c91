from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_agari_provider.streams.checkpoints import Checkpoint
from airflow_agari_provider.streams.errors import ShardsFailed
from airflow_agari_provider.streams.gaps import gap
from airflow_agari_provider.streams.kinesis import Position, StreamFacts
from tests.streams.conftest import SQLITE
from tests.streams.producing import Registry, run_import, scored, stored_records

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
FACTS = StreamFacts("arn:aws:kinesis:us-east-1:1:stream/nrt", NOW - timedelta(days=9), timedelta(hours=24))
READ = Checkpoint("x", "shard-1", Position("TRIM_HORIZON", "7"), False, 3, NOW, FACTS.created_at.isoformat())
REGISTRY = Registry()


@pytest.mark.parametrize(
    ("hours", "changes", "listed", "found"),
    [
        (23.9, {}, True, None),
        (25, {}, True, "from 2026-03-03 11:00:00 UTC to 2026-03-03 12:00:00 UTC (1.0 hours) may be gone: the stream "),
        (25, {"ended": True}, True, None),
        (2, {}, False, "to 2026-03-04 10:00:00 UTC (0.0 hours) may be gone: the shard was closed"),
        (2, {"ended": True}, False, None),
        (None, {}, True, None),
        (None, {}, False, "since an unknown time to 2026-03-03 12:00:00 UTC may be gone"),
        (2, {"stream_created_at": "2020"}, True, "gone: the stream was deleted, and created anew under its name"),
        (2, {"stream_created_at": "2020", "ended": True}, True, None),
    ],
    ids=[
        "in time", "older than the stream keeps", "loaded to its end", "the shard is gone", "a loaded shard is gone",
        "nothing was read", "nothing was read, and the shard is gone", "another stream", "another stream, loaded",
    ],
)  # fmt: skip
def test_what_a_stream_no_longer_has(hours, changes, listed, found):
    covered = None if hours is None else NOW - timedelta(hours=hours)
    answer = gap(replace(READ, covered_until=covered, **changes), FACTS, listed, NOW)
    assert answer is None if found is None else found in str(answer)


def lose_the_first(shard: str, records: int, hours: float, connect: Any) -> None:
    """The stream forgets the first records of a shard, and the last import was so many hours ago."""
    stored = stored_records(shard)
    for number in list(stored)[:records]:
        del stored[number]
    covered = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    execute(connect, f"UPDATE agari_stream_checkpoints SET covered_until = '{covered}' WHERE shard = '{shard}'")


def execute(connect: Any, sql: str) -> None:
    with closing(connect()) as connection:
        connection.cursor().execute(sql)
        connection.commit()


@pytest.fixture
def expired(connect, kinesis, producer):
    """One record of a shard is loaded, the second is gone, the third is there; another shard has a new one."""
    producer.put([scored(1)], place=0)
    run_import(connect, kinesis, registry=REGISTRY)
    producer.put([scored(2), scored(3)], place=0)
    producer.put([scored(4)], place=0.9)
    lose_the_first("shardId-000000000000", 2, 30, connect)


@SQLITE
def test_an_expired_checkpoint_is_an_error_that_says_what_is_gone(connect, kinesis, asked, expired):
    for _ in range(2):  # an error does not make it good
        with pytest.raises(ShardsFailed) as error:
            run_import(connect, kinesis, registry=REGISTRY)
        assert "1 shard(s) of nrt failed" in str(error.value)
        assert "shardId-000000000000: records that arrived from" in str(error.value)
        assert "(6.0 hours) may be gone: the stream keeps records for 24 hours only" in str(error.value)
    assert asked() == ["m1", "m4"]


@SQLITE
def test_an_import_may_go_on_behind_a_gap_and_tells_it(connect, kinesis, asked, expired, caplog):
    caplog.set_level(logging.WARNING)
    run = run_import(connect, kinesis, registry=REGISTRY, on_expired="continue")
    assert [(one.shard, round(one.seconds or 0, -2)) for one in run.gaps] == [("shardId-000000000000", 21600)]
    assert asked() == ["m1", "m3", "m4"]
    assert "Going on, as on_expired='continue' asks" in caplog.text
    assert run_import(connect, kinesis, registry=REGISTRY).gaps == []
    assert len(asked("SELECT reason FROM agari_import_failures")) == 1


@SQLITE
def test_a_shard_without_new_records_does_not_expire(connect, kinesis, producer, asked):
    producer.put([scored(1)], place=0)
    run_import(connect, kinesis, registry=REGISTRY)
    day_ago = (datetime.now(UTC) - timedelta(hours=23)).isoformat()
    execute(connect, f"UPDATE agari_stream_checkpoints SET covered_until = '{day_ago}'")
    run_import(connect, kinesis, registry=REGISTRY)
    covered = [datetime.fromisoformat(one) for one in asked("SELECT covered_until FROM agari_stream_checkpoints")]
    assert all(datetime.now(UTC) - one < timedelta(minutes=1) for one in covered)


@SQLITE
@pytest.mark.parametrize("on_expired", ["fail", "continue"])
def test_a_stream_that_was_created_anew_is_not_taken_for_the_old_one(connect, kinesis, producer, asked, on_expired):
    producer.put([scored(1), scored(2)], place=0)
    run_import(connect, kinesis, registry=REGISTRY)
    kinesis.delete_stream(StreamName="nrt")
    kinesis.create_stream(StreamName="nrt", ShardCount=2)
    producer.put([scored(3)], place=0)  # with the sequence number of the first record
    if on_expired == "fail":
        with pytest.raises(ShardsFailed, match="the stream was deleted, and created anew under its name"):
            run_import(connect, kinesis, registry=REGISTRY)
        assert asked() == ["m1", "m2"]
    else:
        assert len(run_import(connect, kinesis, registry=REGISTRY, on_expired="continue").gaps) == 2
        assert asked() == ["m1", "m2", "m3"]


@SQLITE
def test_shards_that_only_the_old_stream_had_are_told_once(connect, kinesis, producer, asked):
    producer.split("shardId-000000000000")
    producer.merge("shardId-000000000002", "shardId-000000000003")
    run_import(connect, kinesis, registry=REGISTRY)
    kinesis.delete_stream(StreamName="nrt")
    kinesis.create_stream(StreamName="nrt", ShardCount=2)
    producer.put([scored(1)], place=0)  # into a shard that was loaded to its end in the old stream
    run = run_import(connect, kinesis, registry=REGISTRY, on_expired="continue")
    assert sorted(one.shard[-1] for one in run.gaps) == ["1", "4"]
    assert run_import(connect, kinesis, registry=REGISTRY).gaps == []
    assert asked() == ["m1"]


@SQLITE
@pytest.mark.parametrize("on_expired", ["fail", "continue"])
def test_a_shard_that_is_gone_is_told(connect, kinesis, producer, asked, on_expired):
    from moto.kinesis.models import kinesis_backends

    producer.put([scored(1)], place=0)
    run_import(connect, kinesis, registry=REGISTRY)
    producer.split("shardId-000000000000")
    (stream,) = kinesis_backends["123456789012"]["us-east-1"].streams.values()
    del stream.shards["shardId-000000000000"]
    producer.put([scored(2)], place=0)
    if on_expired == "fail":
        with pytest.raises(ShardsFailed, match="the shard was closed, and is no longer kept"):
            run_import(connect, kinesis, registry=REGISTRY)
    else:
        assert len(run_import(connect, kinesis, registry=REGISTRY, on_expired="continue").gaps) == 1
        assert asked() == ["m1", "m2"]
