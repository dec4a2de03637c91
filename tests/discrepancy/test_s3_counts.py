"""Counts in objects on S3, as Spark and other jobs write them."""

from __future__ import annotations

import gzip
import io
import json

import fastavro
import pytest

from airflow_agari_provider.discrepancy.counted import Counted, UnusableCounts
from airflow_agari_provider.discrepancy.reading import StageNotRead
from airflow_agari_provider.discrepancy.s3_counts import Fields, add_objects

LINES = b'{"stage": "read", "key": "5", "count": 9}\n\n{"stage": "scored", "key": "5", "count": 3}\n'
PLAIN = Fields(["key"], "count", {})


def avro(records, codec="deflate"):
    fields = [{"name": "org_id", "type": "long"}, {"name": "messages", "type": "long"}]
    file = io.BytesIO()
    fastavro.writer(file, {"type": "record", "name": "Count", "fields": fields}, records, codec=codec)
    return file.getvalue()


AVRO = avro([{"org_id": 5, "messages": 3}, {"org_id": 7, "messages": 4}, {"org_id": 5, "messages": 1}])


@pytest.mark.parametrize(
    ("name", "body", "fields", "counts"),
    [
        ("part-0.json", LINES, Fields(["key"], "count", {"stage": "scored"}), {"5": 3}),
        ("part-0", LINES, PLAIN, {"5": 12}),
        ("part-0.json.gz", gzip.compress(LINES), PLAIN, {"5": 12}),
        ("counts.json", b'{"5": 3, "7": 4, "5": 1}', PLAIN, {"5": 4, "7": 4}),
        ("counts.json", json.dumps({"5": 3, "7": 4}, indent=1).encode(), PLAIN, {"5": 3, "7": 4}),
        ("rows.json", b'[{"key": 5, "count": 3},\n {"key": null, "count": 1}]', PLAIN, {"5": 3, "NULL": 1}),
        ("part-0.avro", AVRO, Fields(["org_id"], "messages", {}), {"5": 4, "7": 4}),
        ("part-0.avro", AVRO, Fields(["org_id"], None, {}), {"5": 2, "7": 1}),
        ("part-0.avro", AVRO, Fields(["org_id"], "messages", {"org_id": 7}), {"7": 4}),
        ("part-0.json", b"", PLAIN, {}),
    ],
    ids=[
        "lines of one stage",
        "lines",
        "compressed lines",
        "one object",
        "one object over lines",
        "one list",
        "Avro",
        "records of Avro",
        "some records of Avro",
        "nothing",
    ],
)
def test_counts_are_read_as_jobs_write_them(s3, bucket, name, body, fields, counts):
    s3.put_object(Bucket=bucket, Key=f"counts/{name}", Body=body)
    s3.put_object(Bucket=bucket, Key="counts/_SUCCESS")
    counted = Counted("Agg")
    add_objects(counted, s3, f"s3://{bucket}/counts/", fields)
    assert {str(key): count for key, count in counted.counts.items()} == counts


def test_several_objects_and_keys_of_several_fields_are_added_up(s3, bucket):
    for number in range(2):
        body = b'{"org": 5, "hour": "05", "n": 2}\n'
        s3.put_object(Bucket=bucket, Key=f"day/{number}/part-{number}.json", Body=body)
    counted = Counted("Agg", ["int", "text"])
    add_objects(
        counted, s3, [f"s3://{bucket}/day/0/", f"s3://{bucket}/day/1/part-1.json"], Fields(["org", "hour"], "n", {})
    )
    assert counted.counts == {"5 | 05": 4}


@pytest.mark.parametrize(
    ("key", "body", "error", "says"),
    [
        (None, b"", StageNotRead, "could not be read from s3://agari/counts/: there are no objects"),
        ("a.avro", AVRO[:-5], UnusableCounts, "s3://agari/counts/a.avro, byte .*: the file is truncated"),
        ("a.json.gz", gzip.compress(LINES * 99)[:-20], UnusableCounts, "a.json.gz is damaged or cut off"),
        ("a.json", b"\xff\xfe", UnusableCounts, "a.json is neither JSON lines with .*key.* nor one JSON value"),
        ("a.json", LINES + b"{oops", UnusableCounts, "a.json: '{oops' is no JSON"),
        ("a.json", b'{"key": "5"}\n', UnusableCounts, "does not have the fields .*'key', 'count'"),
        ("a.json", b'{"key": "5", "count": "3"}\n', UnusableCounts, "the count of key '5' is '3'"),
        ("a.json", b"7", UnusableCounts, "expected a mapping, got 7"),
    ],
    ids=[
        "no objects",
        "Avro cut off",
        "gzip cut off",
        "no text",
        "no JSON",
        "a field is missing",
        "no count",
        "a number",
    ],
)
def test_what_cannot_be_read_is_an_error_and_never_zero(s3, bucket, key, body, error, says):
    if key:
        s3.put_object(Bucket=bucket, Key=f"counts/{key}", Body=body)
    with pytest.raises(error, match=says):
        add_objects(Counted("Agg"), s3, f"s3://{bucket}/counts/", PLAIN)


def test_a_folder_of_which_a_job_wrote_only_that_it_is_done_has_no_counts(s3, bucket):
    s3.put_object(Bucket=bucket, Key="counts/_SUCCESS")
    counted = Counted("Agg")
    add_objects(counted, s3, f"s3://{bucket}/counts/", PLAIN)
    assert counted.counts == {}
