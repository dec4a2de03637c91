"""Avro object container files on S3."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.avro import blocks
from airflow_agari_provider.s3.objects import ObjectStream


def count_records(s3: Any, bucket: str, key: str) -> int:
    """
    Return the number of records that the blocks of an Avro object say they hold; nothing is decompressed or decoded.

    :param s3: boto3 client of S3.
    :raises BadAvro: the object is not a sound Avro object container file.
    :raises MissingObject: the object does not exist.
    :raises ForbiddenObject: the object may not be read.
    """
    with ObjectStream(s3, bucket, key) as stream:
        return blocks.count_block_records(stream, stream.stored.url)
