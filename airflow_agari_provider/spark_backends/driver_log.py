"""The end of a Spark driver's log, out of the gzip files that a service leaves on S3."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LINE_LIMIT = 1000  # characters of a line that are kept: a driver may print a whole query plan as one

_EXCEPTION = re.compile(
    r"^(?:Caused by: |Exception in thread \"[^\"]*\" )?"
    r"(?:[A-Za-z_]\w*[.$])*[A-Z]\w*(?:Error|Exception|Exit|Interrupt)\b"
)
_CONTROL = dict.fromkeys((*range(9), *range(10, 32), 127))  # a log must not steer the terminal that shows it


@dataclass(frozen=True)
class LogTail:
    """
    The last lines of one log file.

    :param written_at: when S3 got this copy; a service replaces it while the job runs.
    """

    url: str
    lines: tuple[str, ...]
    written_at: datetime


@dataclass(frozen=True)
class DriverLog:
    """
    What is there of a driver's log.

    :param folder: URL of the folder it belongs in; None where the cluster keeps no logs.
    """

    folder: str | None
    tails: tuple[LogTail, ...] = ()

    @property
    def last_exception(self) -> str | None:
        """The last line of stderr, or else of stdout, that names an exception."""
        for tail in sorted(self.tails, key=lambda tail: "stderr" not in tail.url):
            for line in reversed(tail.lines):
                if _EXCEPTION.match(line):
                    return line
        return None

    def __str__(self) -> str:
        if self.folder is None:
            return "The cluster keeps no logs: create it with a LogUri to see the driver's log here."
        if not self.tails:
            return f"Its log has not appeared in {self.folder} yet; look there in a few minutes."
        return "\n".join(f"Last lines of {tail.url}:\n" + "\n".join(tail.lines) for tail in self.tails)


def bucket_and_key(url: str) -> tuple[str, str]:
    """``s3://bucket/a/b`` as ``("bucket", "a/b")``; ``s3a`` and ``s3n`` are the same places."""
    match = re.fullmatch(r"s3[an]?://([^/]+)/?(.*)", url)
    if not match:
        raise ValueError(f"{url!r} is no S3 URL: expected s3://bucket/key")
    return match[1], match[2]


def read_tail(s3: Any, url: str, lines: int) -> LogTail | None:
    """
    The last lines of a gzip file; None if there is no such object. Memory stays flat whatever the file's size.

    A file that breaks off in the middle gives what could be read of it.
    """
    from botocore.exceptions import ClientError

    bucket, key = bucket_and_key(url)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    with answer["Body"] as body:
        last = _last(_lines(gzip.GzipFile(fileobj=body)), lines)
    return LogTail(url, last, answer["LastModified"])


def _lines(file: gzip.GzipFile) -> Iterator[str]:
    try:
        while piece := file.readline(LINE_LIMIT * 4):
            yield piece.decode("utf-8", "replace").translate(_CONTROL).rstrip()[:LINE_LIMIT]
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return


def _last(lines: Iterable[str], number: int) -> tuple[str, ...]:
    return tuple(deque((line for line in lines if line), maxlen=number))
