"""Whether an object has the content that is known of it."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.s3.errors import MissingObject, ObjectOverwritten
from airflow_agari_provider.s3.objects import CHUNK_BYTES, ObjectStream, StoredObject


def is_current(s3: Any, stored: StoredObject) -> bool:
    """
    Whether S3 has this content under the key now.

    :param s3: boto3 client of S3.
    """
    from botocore.exceptions import ClientError

    try:
        found = s3.head_object(Bucket=stored.bucket, Key=stored.key)
    except ClientError as error:  # without permission to list, S3 answers 403 for a deleted object
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return False
        raise
    return bool(found["ETag"].strip('"') == stored.etag)


def same_content(s3: Any, stored: StoredObject, content: str) -> bool:
    """
    Whether an object has this content; it is read for that, if it is there.

    :param s3: boto3 client of S3.
    :param content: as :meth:`ObjectStream.content` returns it.
    """
    try:
        with ObjectStream(s3, stored.bucket, stored.key, stored.version_id) as stream:
            while stream.read(CHUNK_BYTES):
                pass
            return stream.stored.etag == stored.etag and stream.content() == content
    except (MissingObject, ObjectOverwritten):
        return False
