"""
Repairs of moto, which would lose or duplicate messages when it serves several clients at the same time, and records of
a stream when its shards are split or merged.

moto's state is plain Python. Its SQS rebuilds the list of messages on every deletion: a message that another thread
adds at the same time is lost. So only one request at a time uses that state, under ``monitor``. This costs little time,
because moto needs the interpreter's lock anyway. A long poll lets other requests in while it waits.
"""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from typing import Any

import moto.backends
import moto.sqs.models
from moto.kinesis.models import KinesisBackend, Stream
from moto.s3.models import S3Backend
from moto.sqs.models import SQSBackend

monitor = threading.Condition()
LOOK_AGAIN = 0.2  # seconds; how often a long poll looks for messages

_moto_get_records = KinesisBackend.get_records
_moto_get_shard_for_key = Stream.get_shard_for_key
_moto_put_record = Stream.put_record
_moto_receive_message = SQSBackend.receive_message
_moto_complete_multipart_upload = S3Backend.complete_multipart_upload


def _receive_message(
    self: Any,
    queue_name: str,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> list[Any]:
    end = time.monotonic() + wait_seconds_timeout
    with monitor:
        while True:
            messages: list[Any] = _moto_receive_message(
                self, queue_name, count, 0, visibility_timeout, message_attribute_names
            )
            left = end - time.monotonic()
            if messages or left <= 0:
                return messages
            monitor.wait(min(left, LOOK_AGAIN))


def _complete_multipart_upload(self: Any, *arguments: Any, **keywords: Any) -> Any:
    # moto would notify twice: for the upload, and for the put with which it stores the upload
    with monitor:
        self.put_object = functools.partial(self.put_object, disable_notification=True)
        try:
            return _moto_complete_multipart_upload(self, *arguments, **keywords)
        finally:
            del self.put_object


def _get_records(self: Any, stream_arn: Any, shard_iterator: str, limit: int | None) -> tuple[Any, list[Any], int]:
    """As AWS does it: a closed shard has an end."""
    with monitor:
        following, records, behind = _moto_get_records(self, stream_arn, shard_iterator, limit)
        name, shard_id, position = moto.kinesis.models.decompose_shard_iterator(following)
        shard = self.describe_stream(stream_arn=stream_arn, stream_name=name).get_shard(shard_id)
        ended = not shard.is_open and int(position) >= shard.get_max_sequence_number()
        return (None if ended else following), records, behind


def _put_record(self: Any, *arguments: Any, **keywords: Any) -> Any:
    with monitor:
        return _moto_put_record(self, *arguments, **keywords)


def _get_shard_for_key(self: Any, partition_key: str, explicit_hash_key: str | None) -> Any:
    """As AWS does it: a closed shard gets no records."""
    _moto_get_shard_for_key(self, partition_key, explicit_hash_key)  # refuses what is no key
    place = int(explicit_hash_key) if explicit_hash_key else int(hashlib.md5(partition_key.encode()).hexdigest(), 16)  # noqa: S324
    return next(
        shard for shard in self.shards.values() if shard.is_open and shard.starting_hash <= place <= shard.ending_hash
    )


def _keeping_records(reshard: Any) -> Any:
    """As AWS does it: the records of a shard that is split or merged stay in it, and no other shard gets them."""

    @functools.wraps(reshard)
    def wrapper(self: Any, *arguments: Any, **keywords: Any) -> None:
        with monitor:
            before = dict(self.shards)
            kept = {name: shard.records for name, shard in before.items()}
            for shard in before.values():
                shard.records = type(shard.records)()
            try:
                reshard(self, *arguments, **keywords)
            finally:
                for name, records in kept.items():
                    before[name].records = records

    return wrapper


_split_shard, _merge_shards = _keeping_records(Stream.split_shard), _keeping_records(Stream.merge_shards)


def repair_moto() -> None:
    """Repair moto in this process; further calls change nothing."""
    SQSBackend.receive_message = _receive_message
    S3Backend.complete_multipart_upload = _complete_multipart_upload
    repair_kinesis()
    # moto calls this for each message of each request; this takes a tenth of the time of moto's detour over datetime
    moto.sqs.models.unix_time_millis = lambda: time.time() * 1000.0
    # moto would list its own folder, 180 entries, for each request: a quarter of a small request's time
    services = tuple(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: services


def repair_kinesis() -> None:
    """Repair only moto's Kinesis; further calls change nothing."""
    KinesisBackend.get_records = _get_records
    Stream.put_record, Stream.get_shard_for_key = _put_record, _get_shard_for_key
    Stream.split_shard, Stream.merge_shards = _split_shard, _merge_shards
