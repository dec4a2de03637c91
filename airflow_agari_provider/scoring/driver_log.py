"""The end of a Spark driver's log, read from the gzip files that a service writes to S3."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.s3.urls import split_url
from airflow_agari_provider.scoring.bounded_calls import BoundedCalls

LAST_COPY_SLACK = 5  # seconds: S3 gives times in whole seconds, and clocks differ
READ_SECONDS = 60.0  # for one log file, however slowly S3 sends it
LINE_LIMIT = 1000  # characters kept of each line: a driver may print a whole query plan as one line

_EXCEPTION = re.compile(
    r"^(?:Caused by: |Exception in thread \"[^\"]*\" )?"
    r"(?:[A-Za-z_]\w*[.$])*[A-Z]\w*(?:Error|Exception|Exit|Interrupt)\b"
)
_JAVA_FRAME = re.compile(r"^\s+at [\w.$]+")
FRAMES_SHOWN = 3  # of a Java stack trace: Spark prints a hundred, which would leave no room for other lines
_CONTROL = dict.fromkeys((*range(9), *range(10, 32), 127))  # a log must not control the terminal that shows it


@dataclass(frozen=True)
class LogTail:
    """
    The last lines of one log file.

    :param lines: without empty lines. A Java stack trace is cut to its first frames and the number of further frames.
    :param last_exception: the last line of the whole file that names an exception.
    :param written_at: when this copy was written to S3; a service replaces the copy while the job runs.
    """

    url: str
    lines: tuple[str, ...]
    last_exception: str | None
    written_at: datetime


@dataclass(frozen=True)
class DriverLog:
    """
    The log files of a driver that are on S3 so far.

    :param folder: URL of the folder for the log files; None if no logs are kept.
    :param no_logs: what to say in that case.
    """

    folder: str | None
    tails: tuple[LogTail, ...] = ()
    no_logs: str = "The cluster keeps no logs: create it with a LogUri to see the driver's log here."

    @property
    def script_exception(self) -> str | None:
        """The last line of stdout that names an exception: spark-submit writes a script's traceback there."""
        return next((tail.last_exception for tail in self.tails if tail.url.endswith("/stdout.gz")), None)

    @property
    def last_exception(self) -> str | None:
        """
        The script's exception if there is one, otherwise the last exception of another log file.

        The script's comes first because Spark also prints exceptions that it has handled to stderr.
        """
        return self.script_exception or next(filter(None, (tail.last_exception for tail in self.tails)), None)

    def complete(self, ended_at: float | None) -> bool:
        """
        Whether a later look would tell no more: there will be no log, it has the script's exception, or every file that
        was found was copied after the job's end.

        :param ended_at: seconds since 1970; None if it is not known.
        """
        times = [tail.written_at.timestamp() for tail in self.tails]
        copied = bool(times) and min(times) + LAST_COPY_SLACK >= (ended_at or 0)
        return self.folder is None or self.script_exception is not None or copied

    def __str__(self) -> str:
        if self.folder is None:
            return self.no_logs
        if not self.tails:
            return f"Its log has not appeared in {self.folder} yet; look there in a few minutes."
        return "\n".join(f"Last lines of {tail.url}:\n" + "\n".join(tail.lines) for tail in self.tails)


_reading = BoundedCalls(READ_SECONDS)


def read_tails(s3: Any, urls: Iterable[str], lines: int) -> tuple[LogTail, ...]:
    """
    Return the last lines of each gzip file that exists.

    :raises TimeoutError: a file could not be read in ``READ_SECONDS``.
    """
    found = [_reading(read_tail, s3, url, lines) for url in dict.fromkeys(urls)]
    return tuple(tail for tail in found if tail is not None)


def read_tail(s3: Any, url: str, lines: int) -> LogTail | None:
    """
    Return the last lines of a gzip file; None if the object does not exist.

    Memory use does not depend on the file's size. Of a truncated file, the part that can be read counts.
    """
    from botocore.exceptions import ClientError

    bucket, key = split_url(url)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    with answer["Body"] as body:
        return tail_of(url, _lines(gzip.GzipFile(fileobj=body)), lines, answer["LastModified"])


def tail_of(url: str, log: Iterable[str], lines: int, written_at: datetime) -> LogTail:
    """
    Return the last lines of a log.

    :param log: its lines.
    """
    last: deque[str] = deque(maxlen=lines)
    last_exception = None
    for line in _folded(filter(None, map(_printable, log))):
        last.append(line)
        last_exception = line if _EXCEPTION.match(line) else last_exception
    return LogTail(url, tuple(last), last_exception, written_at)


def _printable(line: str) -> str:
    return cut(line.translate(_CONTROL).rstrip(), LINE_LIMIT)


def _lines(file: gzip.GzipFile) -> Iterator[str]:
    try:
        while piece := file.readline(LINE_LIMIT * 4):
            yield piece.decode("utf-8", "replace")
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return


def _folded(lines: Iterable[str]) -> Iterator[str]:
    for frames, together in groupby(lines, key=lambda line: bool(_JAVA_FRAME.match(line))):
        for number, line in enumerate(together, start=1):
            if not frames or number <= FRAMES_SHOWN:
                yield line
        if frames and number > FRAMES_SHOWN:
            yield f"\t... {number - FRAMES_SHOWN} more"
