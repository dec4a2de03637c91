from __future__ import annotations

import gzip
import random
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_agari_provider.scoring.driver_log import DriverLog, LogTail, read_tail

URL = "s3://agari/logs/stderr.gz"


def put(s3: Any, content: bytes) -> None:
    s3.put_object(Bucket="agari", Key="logs/stderr.gz", Body=content)


def test_only_the_last_lines_are_kept(s3, bucket):
    put(s3, gzip.compress(b"one\ntwo\n\nthree\n"))
    tail = read_tail(s3, URL, 2)
    assert (tail.url, tail.lines) == (URL, ("two", "three"))


def test_a_log_that_is_not_there_is_none(s3, bucket):
    assert read_tail(s3, URL, 2) is None


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param(b"", (), id="empty object"),
        pytest.param(gzip.compress(b""), (), id="empty log"),
        pytest.param(b"plain text\n", (), id="no gzip file"),
        pytest.param(gzip.compress("caf\u00e9".encode("latin-1")), ("caf\ufffd",), id="not UTF-8"),
        pytest.param(gzip.compress(b"\x1b[31mred\x1b[0m\ttab\x07\n"), ("[31mred[0m\ttab",), id="control characters"),
        pytest.param(gzip.compress(b"a\n") + gzip.compress(b"b\n"), ("a", "b"), id="two members"),
    ],
)
def test_any_content_of_the_file_can_be_read_without_an_error(s3, bucket, content, lines):
    put(s3, content)
    assert read_tail(s3, URL, 5).lines == lines


def test_a_log_that_breaks_off_gives_what_can_be_read(s3, bucket):
    noise = random.Random(1)
    text = "".join(f"{number} {noise.random()}\n" for number in range(20_000)).encode()
    whole = gzip.compress(text)
    put(s3, whole[: len(whole) // 2])
    lines = read_tail(s3, URL, 3).lines
    assert len(lines) == 3
    assert int(lines[0].split()[0]) > 5_000


def test_memory_stays_flat_for_a_very_long_line(s3, bucket):
    put(s3, gzip.compress(b"x" * 40_000_000 + b"\nlast\n"))
    tracemalloc.start()
    lines = read_tail(s3, URL, 2).lines
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines[-1] == "last"
    assert max(map(len, lines)) <= 1000
    assert lines[0] == "x" * 993 + "… (cut)"
    assert peak < 20_000_000  # most of it is the S3 in this process


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ValueError: no such column: trust", True),
        ("pyspark.errors.exceptions.captured.AnalysisException: [PATH_NOT_FOUND] Path does not exist", True),
        ("Caused by: java.io.FileNotFoundException: part-0.avro", True),
        ('Exception in thread "main" org.apache.spark.SparkException: Application finished with failed status', True),
        ("KeyboardInterrupt", True),
        ("16/04/28 05:00:00 ERROR TaskSetManager: Task 0 failed 4 times", False),
        ("Traceback (most recent call last):", False),
        ("  raise ValueError(message)", False),
    ],
)
def test_a_line_that_begins_with_an_exception_is_recognised(s3, bucket, line, found):
    put(s3, gzip.compress(f"INFO starts\n{line}\nINFO ends\n".encode()))
    assert read_tail(s3, URL, 1).last_exception == (line if found else None)


def test_of_a_java_stack_trace_only_the_first_frames_are_shown(s3, bucket):
    frames = "".join(f"\tat org.apache.spark.Frame$.call{number}(Frame.scala:1)\n" for number in range(100))
    text = f"AnalysisException: no such path\nJVM stacktrace:\n{frames}Caused by: java.io.IOException\n{frames}"
    put(s3, gzip.compress(text.encode()))
    tail = read_tail(s3, URL, 50)
    first = tuple(f"\tat org.apache.spark.Frame$.call{number}(Frame.scala:1)" for number in range(3))
    assert tail.lines == (
        "AnalysisException: no such path",
        "JVM stacktrace:",
        *first,
        "\t... 97 more",
        "Caused by: java.io.IOException",
        *first,
        "\t... 97 more",
    )
    assert tail.last_exception == "Caused by: java.io.IOException"


def test_the_last_exception_is_found_however_much_is_logged_after_it(s3, bucket):
    put(s3, gzip.compress(b"KeyError: 'trust'\n" + b"INFO shuts down\n" * 1000))
    tail = read_tail(s3, URL, 2)
    assert (tail.lines, tail.last_exception) == (("INFO shuts down",) * 2, "KeyError: 'trust'")


def test_the_exception_of_the_script_goes_before_those_that_spark_logs():
    now = datetime.now(UTC)
    stderr = LogTail("s3://agari/logs/stderr.gz", (), "java.io.FileNotFoundException: handled", now)
    stdout = LogTail("s3://agari/logs/stdout.gz", (), "AnalysisException: no such path", now)
    silent = LogTail("s3://agari/logs/stdout.gz", ("14 messages",), None, now)
    assert DriverLog("s3://agari/logs/", (stderr, stdout)).last_exception == "AnalysisException: no such path"
    assert DriverLog("s3://agari/logs/", (stderr, silent)).last_exception == "java.io.FileNotFoundException: handled"
    assert DriverLog("s3://agari/logs/", (silent,)).last_exception is None
