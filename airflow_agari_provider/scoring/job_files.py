"""Files on S3 that a job comes with and leaves behind: its script, and its counts."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airflow_agari_provider.exceptions import AgariError, cut
from airflow_agari_provider.s3.urls import hidden, split_url

logger = logging.getLogger(__name__)


class ScriptMissing(AgariError):
    """
    A file to upload is not there.

    :param path: as it was given.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"There is no file {self.path!r} on this worker, so it cannot be uploaded. Give its absolute path, for "
            'instance str(Path(__file__).parent / "score.py"), or an s3:// URL.'
        )


class UploadPlaceMissing(AgariError):
    """
    A local file without a place to upload it to.

    :param path: as it was given.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"{self.path!r} is a local file, which the cluster cannot read: pass script_prefix, an s3:// prefix to "
            "upload it to, or give an s3:// URL."
        )


class CountsUnreadable(AgariError):
    """
    The counts a job should have left cannot be used.

    :param url: of the folder, or of the file with the line that is wrong.
    :param problem: what is wrong, as a clause.
    """

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(url, problem)
        self.url, self.problem = url, problem

    def __str__(self) -> str:
        return (
            f"The Spark job succeeded, but its counts cannot be read: {self.problem} ({self.url}). Expected lines "
            'like {"stage": "scored", "key": "1", "count": 14} in the files of that prefix. Put them right, or pass '
            "counts_url=None, and let the task run again: it takes over the finished job and does not repeat it."
        )


def upload(connect: Callable[[], Any], path: str, prefix: str | None) -> str:
    """
    URL of a local file on S3, uploaded where it is not there yet; URLs are returned as they are.

    The key contains a hash of the contents, so the same file is uploaded once, and a job that waits in a queue runs
    the script it was submitted with, whatever is uploaded meanwhile.

    :param connect: makes an S3 client; not called for URLs.
    :raises ScriptMissing: there is no such file.
    """
    if "://" in path:
        return path
    if not prefix:
        raise UploadPlaceMissing(path)
    try:
        contents = Path(path).read_bytes()
    except OSError as error:
        raise ScriptMissing(path) from error
    bucket, folder = split_url(prefix)
    digest = hashlib.sha256(contents).hexdigest()[:16]
    key = "/".join(filter(None, (folder.strip("/"), digest, Path(path).name)))
    s3 = connect()
    if not _exists(s3, bucket, key):
        s3.put_object(Bucket=bucket, Key=key, Body=contents)
        logger.info("Uploaded %s to s3://%s/%s", path, bucket, key)
    return f"s3://{bucket}/{key}"


def _exists(s3: Any, bucket: str, key: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        # without s3:ListBucket, S3 says 403 of an object that is not there
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return False
        raise
    return True


def read_counts(s3: Any, url: str) -> dict[str, dict[str, int]]:
    """
    The counts in all files under a prefix, as ``{"<stage>": {"<key>": count}}``; several lines of one key add up.

    Hidden files, such as ``_SUCCESS`` and what a lost attempt left in ``_temporary/``, are skipped. A prefix that holds
    nothing else has no counts.

    :raises CountsUnreadable: nothing is under the prefix at all, or a line is none of ours.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    counts: dict[str, dict[str, int]] = defaultdict(dict)
    try:
        for source, line in _count_lines(s3, url):
            stage, key, count = _count(source, line)
            counts[stage][key] = counts[stage].get(key, 0) + count
    except (BotoCoreError, ClientError) as error:
        raise CountsUnreadable(url, str(error)) from error
    return dict(counts)


def _count(source: str, line: str) -> tuple[str, str, int]:
    try:
        row = json.loads(line)
        return str(row["stage"]), str(row["key"]), int(row["count"])
    except (ValueError, TypeError, KeyError) as error:
        raise CountsUnreadable(source, f"{cut(line, 200)!r} is no count") from error


def _count_lines(s3: Any, url: str) -> Iterator[tuple[str, str]]:
    bucket, prefix = split_url(url)
    folder = prefix.rstrip("/") + "/" if prefix else ""
    found = False
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder):
        for item in page.get("Contents", []):
            found = True
            if hidden(item["Key"].removeprefix(folder)):
                continue
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode("utf-8", "replace")
            yield from ((f"s3://{bucket}/{item['Key']}", line) for line in body.split("\n") if line.strip())
    if not found:
        raise CountsUnreadable(url, "there is nothing")
