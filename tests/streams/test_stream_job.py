"""The settings of an import of a stream are refused where they do not fit together."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.streams.kinesis import MOST_RECORDS
from airflow_agari_provider.streams.stream_job import StreamJob, start_of, until_of

JOB = ImportJob("scored", "r")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"start": "OLDEST"}, "start"),
        ({"start": datetime(2016, 4, 28)}, "has no zone"),
        ({"until": 0}, "until=0"),
        ({"until": float("inf")}, "until=inf"),
        ({"until": float("nan")}, "until=nan"),
        ({"until": "newest"}, "until='newest'"),
        ({"on_expired": "skip"}, "on_expired"),
        ({"max_records": 0}, "max_records=0"),
        ({"max_bytes": -1}, "max_bytes=-1"),
        ({"max_seconds": 0}, "max_seconds=0"),
        ({"share": 2, "shares": 2}, "share=2"),
        ({"share": -1}, "share=-1"),
    ],
)
def test_a_setting_that_cannot_be_is_named(settings, problem):
    with pytest.raises(ValueError, match=problem):
        StreamJob(JOB, **settings)


def test_each_shard_is_of_exactly_one_share():
    shares = [StreamJob(JOB, share=share, shares=3) for share in range(3)]
    shards = [f"shardId-{number:012}" for number in range(60)]
    assert all(sum(one.has(shard) for one in shares) == 1 for shard in shards)
    assert all(any(one.has(shard) for shard in shards) for one in shares)


def test_a_read_brings_no_more_than_the_limit_leaves():
    assert StreamJob(JOB).records_left(10**9) == MOST_RECORDS
    assert [StreamJob(JOB, max_records=5).records_left(done) for done in (0, 4, 5, 6)] == [5, 1, 0, 0]


def test_texts_of_templates_are_read():
    assert start_of("LATEST") == "LATEST"
    assert start_of("2016-04-28T12:00+00:00") == datetime(2016, 4, 28, 12, tzinfo=UTC)
    with pytest.raises(ValueError, match="neither TRIM_HORIZON nor LATEST"):
        start_of("yesterday")
    assert [until_of(one) for one in ("latest", "30", 30, "soon")] == ["latest", 30.0, 30.0, "soon"]
