"""What is said of a file that is not an Avro container file."""

from __future__ import annotations

import gzip
import json

import pytest

from airflow_agari_provider.avro.other_formats import HEAD_BYTES, what_it_is


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\0\0\0\0\x07\x02x", "Confluent's wire format, with the schema 7 of"),
        (b"\xc3\x01\x00", "single-object encoding"),
        (b"Obj\x02", "another version of Avro"),
        (gzip.compress(b"x"), "by gzip; use Avro's own compression"),
        (b"PAR1", "Parquet"),
        (json.dumps({"a": 1}).encode(), "JSON"),
        (b"[1]", "JSON"),
    ],
    ids=["Confluent", "single object", "Avro 2", "gzip", "Parquet", "JSON", "JSON array"],
)
def test_the_first_bytes_tell(content, says):
    assert says in what_it_is(content[:HEAD_BYTES])


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\0\0\0\0", b"\0\0\0", b"text"], ids=repr)
def test_of_others_nothing_is_said(content):
    assert what_it_is(content) == ""
