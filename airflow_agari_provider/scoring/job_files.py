"""Files of a job on S3: the script that it runs, and the counts that it writes."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airflow_agari_provider.exceptions import AgariError, cut, retrying
from airflow_agari_provider.s3.urls import hidden, split_url
from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.bounded_calls import BoundedCalls
from airflow_agari_provider.scoring.jobs import BackendError, BackendUnavailable
from airflow_agari_provider.scoring.submission import Patience

logger = logging.getLogger(__name__)

_reading_counts = BoundedCalls(120.0)  # seconds for all files of a job together, however slowly S3 sends them


class ScriptMissing(AgariError):
    """
    A file to upload does not exist.

    :param path: as it was given.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"There is no file {self.path!r} on this worker, so it cannot be uploaded. Give its absolute path, for "
            'example str(Path(__file__).parent / "score.py"), or an s3:// URL.'
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
            f"{self.path!r} is a local file, which the cluster cannot read. Pass script_prefix, an s3:// prefix to "
            "upload it to, or give an s3:// URL."
        )


class CountsUnreadable(AgariError):
    """
    The counts that a job should have written are missing or malformed.

    :param url: URL of the folder, or of the file with the malformed line.
    :param problem: what is wrong, as a clause.
    """

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(url, problem)
        self.url, self.problem = url, problem

    def __str__(self) -> str:
        return (
            f"The Spark job succeeded, but its counts cannot be read: {self.problem} ({self.url}). Expected lines "
            'like {"stage": "scored", "key": "1", "count": 14} in the files of that prefix. Correct them, or pass '
            "counts_url=None, before the task's next retry: it takes over the finished job and does not repeat it. A "
            "person who clears the task runs the job again."
        )


def upload(connect: Callable[[], Any], path: str, prefix: str | None) -> str:
    """
    Upload a local file to S3 unless it is there already, and return its URL. A URL is returned unchanged.

    The key contains a hash of the contents. So the same file is uploaded only once, and a job that waits in a queue
    runs the script that it was submitted with, even if another version is uploaded in the meantime.

    :param connect: makes an S3 client; not called for URLs.
    :raises ScriptMissing: the file does not exist.
    :raises UploadPlaceMissing: the path is a local file, and there is no prefix to upload it to.
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
        # without the permission s3:ListBucket, S3 answers 403 for an object that does not exist
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return False
        raise
    return True


def read_counts(s3: Any, url: str) -> dict[str, dict[str, int]]:
    """
    Return the counts of all files under a prefix, as ``{"<stage>": {"<key>": count}}``; lines of one key add up.

    Hidden files are skipped, such as ``_SUCCESS`` and the files that a lost attempt left in ``_temporary/``. A prefix
    with only hidden files has no counts, which is not an error.

    :raises CountsUnreadable: there are no files under the prefix, or a line is not a count.
    """
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for source, line in _count_lines(s3, url):
        stage, key, count = _count(source, line)
        counts[stage][key] = counts[stage].get(key, 0) + count
    return dict(counts)


def counts_of_job(aws: AwsRequests, url: str, patience: Patience) -> dict[str, dict[str, int]]:
    """
    Return the counts of a job that succeeded; ask again while S3 or the connection's secrets are away.

    :raises CountsUnreadable: as ``read_counts``.
    """

    def read() -> dict[str, dict[str, int]]:
        with aws.asking("Reading the counts"):
            return _reading_counts(read_counts, aws.client("s3"), url)

    def tell(failed: int, error: Exception, wait: float) -> None:
        logger.warning("The counts cannot be read yet, try %s of %s failed: %s", failed, patience.max_errors, error)

    again = retrying(
        passes=lambda error: isinstance(error, BackendUnavailable),
        wait=lambda failed, error: patience.pause,
        tell=tell,
        tries=patience.max_errors,
        sleep=patience.sleep,
    )
    try:
        return again(read)
    except BackendError as error:
        raise CountsUnreadable(url, str(error)) from error


def _count(source: str, line: str) -> tuple[str, str, int]:
    try:
        row = json.loads(line)
        return str(row["stage"]), str(row["key"]), int(row["count"])
    except (ValueError, TypeError, KeyError) as error:
        raise CountsUnreadable(source, f"{cut(line, 200)!r} is not a count") from error


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
        raise CountsUnreadable(url, "there are no files")
