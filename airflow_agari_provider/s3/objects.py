"""S3 objects as streams: one version from the first byte to the last, even if the connection breaks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from types import TracebackType
from typing import Any, NamedTuple

from airflow_agari_provider.exceptions import cut, may_pass, retrying
from airflow_agari_provider.s3.errors import (
    ArchivedObject,
    EncodedObject,
    ForbiddenObject,
    MissingBucket,
    MissingObject,
    ObjectOverwritten,
    UnusableBucket,
)
from airflow_agari_provider.s3.read_ahead import ReadAhead
from airflow_agari_provider.s3.urls import is_data, split_url

logger = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024  # the first row can be sent only after the first chunk
READY_CHUNKS = 16
TRIES = 5  # connections in a row that deliver no byte; the waits between them add up to 7.5 seconds
FIRST_WAIT = 0.5  # seconds, doubled each time


@dataclass(frozen=True)
class StoredObject:
    """
    One content of one key.

    :param etag: without quotes; different content has a different ETag.
    :param version_id: None in a bucket without versioning.
    """

    bucket: str
    key: str
    etag: str
    version_id: str | None
    size_bytes: int
    modified_at: datetime

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class ObjectStream:
    """
    The bytes of an object from start to end. Memory use does not grow with the object.

    A connection that breaks is opened again at the byte where it broke, pinned to the same content by its ETag.

    :param s3: boto3 client of S3.
    :param version_id: the version to read; None reads the current content.
    :param sleep: waits for a number of seconds.
    :raises MissingObject: the object does not exist; MissingBucket: nor does its bucket.
    :raises UnusableBucket: boto3 does not take the bucket's name or ARN.
    :raises ForbiddenObject: the object may not be read.
    :raises ArchivedObject: the object has to be restored first.
    :raises EncodedObject: the object was compressed as a whole.
    """

    def __init__(
        self, s3: Any, bucket: str, key: str, version_id: str | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._s3 = s3
        self._sleep = sleep
        self._asked = {"Bucket": bucket, "Key": key} | ({"VersionId": version_id} if version_id else {})
        answer = self._get()
        self._body = answer["Body"]
        if (encoding := answer.get("ContentEncoding", "")) in ("gzip", "deflate", "br", "zstd"):
            self._body.close()
            raise EncodedObject(f"s3://{bucket}/{key}", encoding)
        self._buffer = bytearray()
        self._received = self._taken = 0
        self._digest = sha256()
        self._closed = self._broken = False
        self.stored = StoredObject(
            bucket,
            key,
            answer["ETag"].strip('"'),
            answer.get("VersionId"),
            answer["ContentLength"],
            answer["LastModified"],
        )

    def read(self, size: int, /) -> bytes:
        """
        Return exactly this many bytes, or fewer at the end of the object.

        :raises ObjectOverwritten: the connection broke, and the object has been overwritten since.
        :raises botocore.exceptions.BotoCoreError: the connection broke too often.
        """
        while len(self._buffer) < size and (chunk := next(self._chunks, b"")):
            self._buffer += chunk
            self._taken += len(chunk)
        if len(self._buffer) < size and self._taken < self.stored.size_bytes:
            raise ValueError(f"{self.stored.url} was closed while it was read")
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def receive_all(self) -> None:
        """Receive what is left of a small object now, so that reading it later does not wait."""
        for chunk in self._chunks:
            self._buffer += chunk
            self._taken += len(chunk)

    def content(self) -> str | None:
        """Return a hash of the whole content, by which equal content is known; None before its last byte was read."""
        return self._digest.hexdigest() if self._received == self.stored.size_bytes else None

    @cached_property
    def _chunks(self) -> Generator[bytes] | ReadAhead[bytes]:
        """Receive the next chunks while the caller works; not for a small object, which comes in one chunk."""
        chunks = self._received_chunks()
        return chunks if self.stored.size_bytes <= CHUNK_BYTES else ReadAhead(chunks, READY_CHUNKS)

    def _received_chunks(self) -> Generator[bytes]:
        patiently = retrying(
            passes=self._is_worth_another_try,
            wait=lambda failed, error: FIRST_WAIT * 2 ** (failed - 1),
            tell=self._tell,
            tries=TRIES,
            sleep=self._sleep,
        )
        while self._received < self.stored.size_bytes:
            yield patiently(self._receive)

    def _receive(self) -> bytes:
        from botocore.exceptions import IncompleteReadError

        if self._broken:
            self._reopen()
        self._broken = True  # until this chunk is here
        missing = self.stored.size_bytes - self._received
        chunk = self._body.read(min(CHUNK_BYTES, missing))
        if not chunk:
            raise IncompleteReadError(actual_bytes=self._received, expected_bytes=self.stored.size_bytes)
        self._received += len(chunk)
        self._digest.update(chunk)
        self._broken = False
        return bytes(chunk)

    def _is_worth_another_try(self, error: BaseException) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        if self._closed:
            return False
        return isinstance(error, OSError) or (isinstance(error, BotoCoreError | ClientError) and may_pass(error))

    def _tell(self, failed: int, error: Exception, wait: float) -> None:
        logger.warning("%s: the connection broke at byte %s, trying again: %s", self.stored.url, self._received, error)

    def _reopen(self) -> None:
        from botocore.exceptions import ClientError

        self._body.close()
        try:
            self._body = self._get(Range=f"bytes={self._received}-", IfMatch=f'"{self.stored.etag}"')["Body"]
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 412:
                raise ObjectOverwritten(self.stored.url) from error
            raise

    def _get(self, **pinned: str) -> Any:
        from botocore.exceptions import ClientError, ParamValidationError

        url = f"s3://{self._asked['Bucket']}/{self._asked['Key']}"
        try:
            return self._s3.get_object(**self._asked, **pinned)
        except ParamValidationError as error:
            raise UnusableBucket(url, cut(" ".join(str(error).split()), 100)) from error
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                raise (MissingBucket if code == "NoSuchBucket" else MissingObject)(url) from error
            if code == "InvalidObjectState":  # with status 403
                raise ArchivedObject(url, str(error)) from error
            if forbidden(error):
                raise ForbiddenObject(url, str(error)) from error
            raise

    def close(self) -> None:
        self._closed = True
        self._body.close()
        if "_chunks" in vars(self):
            self._chunks.close()

    def __enter__(self) -> ObjectStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def forbidden(error: Any) -> bool:
    """Whether a ClientError of S3 is about permissions, also for an object's encryption key: waiting does not help."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    of_permissions = error.response["ResponseMetadata"]["HTTPStatusCode"] == 403 or code.startswith("KMS.")
    return of_permissions and not may_pass(error)


class FoundObject(NamedTuple):
    """
    An object of a listing or a message. The ETag, without quotes, and the size are those at that time.

    :param version_id: the version that is meant; None: the current content.
    """

    bucket: str
    key: str
    etag: str
    size_bytes: int = 0
    version_id: str | None = None


def objects_at(
    s3: Any, urls: str | Iterable[str], pattern: str | None = None, skip: Callable[[str], None] = logger.debug
) -> list[FoundObject]:
    """
    Return the objects that the URLs name, each once, in the order of the URLs and then of the keys.

    A URL names one object, or a folder: everything below it. ``s3://b/hour=1`` does not include
    ``s3://b/hour=10/...``.
    Below a folder, names that are not data are skipped; see :func:`is_data`.

    :param s3: boto3 client of S3.
    :param pattern: of the names that are taken below a folder; None takes all data.
    :param skip: called with the URL of each object that is skipped.
    :raises MissingBucket: the bucket of a URL does not exist.
    :raises UnusableBucket: boto3 does not take its name or ARN.
    :raises ForbiddenObject: the bucket may not be listed.
    """
    found = [one for url in ([urls] if isinstance(urls, str) else urls) for one in _listed(s3, url, pattern, skip)]
    return list(dict.fromkeys(found))


def _listed(s3: Any, url: str, pattern: str | None, skip: Callable[[str], None]) -> list[FoundObject]:
    from botocore.exceptions import ClientError, ParamValidationError

    try:
        return list(_at(s3, url, pattern, skip))
    except ParamValidationError as error:
        raise UnusableBucket(url, cut(" ".join(str(error).split()), 100)) from error
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            raise MissingBucket(url) from error
        if forbidden(error):
            raise ForbiddenObject(url, str(error)) from error
        raise


def _at(s3: Any, url: str, pattern: str | None, skip: Callable[[str], None]) -> Iterator[FoundObject]:
    bucket, key = split_url(url)
    if key and not key.endswith("/"):
        first = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        if first and first[0]["Key"] == key:
            yield _found(bucket, first[0])
            return
        key += "/"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
        for entry in page.get("Contents", []):
            if is_data(entry["Key"][len(key) :], pattern):
                yield _found(bucket, entry)
            else:
                skip(f"s3://{bucket}/{entry['Key']}")


def _found(bucket: str, entry: dict[str, Any]) -> FoundObject:
    return FoundObject(bucket, entry["Key"], entry["ETag"].strip('"'), entry["Size"])
