from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from airflow_agari_provider.streams.kinesis import KinesisStream, NoSuchPosition, Position, ShardReader, region_of
from tests.streams.producing import Producer

BEGIN = Position("TRIM_HORIZON")


class Answers:
    """Errors that Kinesis gives to the next requests of one kind."""

    def __init__(self, kinesis: Any, operation: str, *errors: str) -> None:
        self.errors, self.times = list(errors), 0
        kinesis.meta.events.register(f"before-send.kinesis.{operation}", self.answer)

    def answer(self, request: Any, **_: Any) -> AWSResponse | None:
        self.times += 1
        if not self.errors:
            return None
        answer = AWSResponse(request.url, 400, {"content-type": "application/x-amz-json-1.1"}, None)
        answer._content = json.dumps({"__type": self.errors.pop(0), "message": "slow down"}).encode()
        return answer


class Clock:
    def __init__(self) -> None:
        self.now, self.waits = 0.0, []

    def __call__(self) -> float:
        return self.now

    def sleep(self, wait: float) -> None:
        self.waits.append(round(wait, 3))
        self.now += wait


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream(kinesis: Any, producer: Producer, clock: Clock) -> KinesisStream:
    return KinesisStream(kinesis, "nrt", clock, clock.sleep)


def test_a_shard_is_read_five_times_in_a_second_at_the_most(stream, producer, clock):
    producer.put([b"a", b"b", b"c"], place=0)
    reader = ShardReader(stream, "shardId-000000000000", BEGIN)
    reads = [reader.read(1) for _ in range(4)]
    assert [record.data for read in reads for record in read.records] == [b"a", b"b", b"c"]
    assert [read.caught_up for read in reads] == [False, False, False, True]
    assert clock.waits == [0.2, 0.2, 0.2]
    ShardReader(stream, "shardId-000000000001", BEGIN).read()  # another shard need not wait
    assert clock.waits == [0.2, 0.2, 0.2]


def test_throttling_is_borne(stream, kinesis, producer, clock):
    producer.put([b"a"], place=0)
    answers = Answers(kinesis, "GetRecords", *["ProvisionedThroughputExceededException"] * 12)
    assert len(ShardReader(stream, "shardId-000000000000", BEGIN).read().records) == 1
    assert answers.times == 13
    assert sum(clock.waits) < 60


def test_what_does_not_pass_is_raised(stream, kinesis):
    Answers(kinesis, "GetRecords", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        ShardReader(stream, "shardId-000000000000", BEGIN).read()


def test_an_iterator_that_has_expired_is_made_anew_behind_the_last_record(stream, kinesis, producer):
    producer.put([b"a", b"b"], place=0)
    reader = ShardReader(stream, "shardId-000000000000", BEGIN)
    assert [one.data for one in reader.read(1).records] == [b"a"]
    Answers(kinesis, "GetRecords", "ExpiredIteratorException")
    assert [one.data for one in reader.read().records] == [b"b"]


def test_records_up_to_the_position_are_left_out_wherever_kinesis_begins(stream, kinesis, producer):
    """... as it does where the position's own record has expired."""
    producer.put([b"a", b"b", b"c"], place=0)
    reader = ShardReader(stream, "shardId-000000000000", Position("TRIM_HORIZON", "2"))
    reader._iterator = stream.iterator("shardId-000000000000", BEGIN)
    assert [one.data for one in reader.read().records] == [b"c"]


def test_a_position_that_kinesis_does_not_know_is_told(stream, kinesis):
    Answers(kinesis, "GetShardIterator", "InvalidArgumentException")
    with pytest.raises(NoSuchPosition):
        ShardReader(stream, "shardId-000000000000", Position("TRIM_HORIZON", "2")).read()
    with pytest.raises(NoSuchPosition):
        ShardReader(stream, "shardId-000000000009", BEGIN).read()


def test_a_closed_shard_has_an_end_and_its_children_name_it(stream, producer):
    producer.put([b"a"], place=0)
    producer.split("shardId-000000000000")
    read = ShardReader(stream, "shardId-000000000000", BEGIN).read()
    assert ([one.data for one in read.records], read.ended, read.caught_up) == ([b"a"], True, True)
    parents = {shard.shard_id[-1]: shard.parents for shard in stream.shards().values()}
    assert parents == {"0": (), "1": (), "2": ("shardId-000000000000",), "3": ("shardId-000000000000",)}
    producer.merge("shardId-000000000002", "shardId-000000000003")
    assert stream.shards()["shardId-000000000004"].parents == ("shardId-000000000002", "shardId-000000000003")


def test_a_stream_may_be_named_by_its_arn(kinesis, producer, stream):
    producer.put([b"a"], place=0)
    by_arn = KinesisStream(kinesis, stream.facts().arn)
    assert by_arn.facts() == stream.facts()
    assert len(ShardReader(by_arn, "shardId-000000000000", BEGIN).read().records) == 1
    assert stream.facts().shard_url("shard-1") == "kinesis://nrt/shard-1"
    assert abs((stream.now - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize(
    ("stream", "region"), [("nrt", None), ("arn:aws-cn:kinesis:cn-north-1:123456789012:stream/nrt", "cn-north-1")]
)
def test_an_arn_says_in_which_region_a_stream_is(stream, region):
    assert region_of(stream) == region


@pytest.mark.parametrize(
    ("position", "arguments"),
    [
        (BEGIN, {"ShardIteratorType": "TRIM_HORIZON"}),
        (
            Position("AT_TIMESTAMP 2026-03-04T12:00:00+00:00"),
            {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime(2026, 3, 4, 12, tzinfo=UTC)},
        ),
        (
            Position("TRIM_HORIZON", "7"),
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "7"},
        ),
    ],
)
def test_a_position_is_told_as_kinesis_takes_it(position, arguments):
    assert position.arguments() == arguments
