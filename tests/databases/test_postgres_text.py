"""Batches in the text format of PostgreSQL's COPY."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.postgres_text import text_copy, texts

TEXT, BYTES = Column("t", None, "text"), Column("b", None, "bytes")
LONG, JSON = Column("n", None, "long"), Column("j", None, "json")


def test_each_batch_is_a_chunk_of_lines_with_tabs_between_their_fields():
    batches = [Batch(2, (("a", None), (1, 2))), Batch(0, ((), ())), Batch(1, (("b",), (None,)))]
    assert list(text_copy([TEXT, LONG], batches)) == [b"a\t1\n\\N\t2\n", b"b\t\\N\n"]


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        (TEXT, "a\tb\nc\rd\\e", r"a\tb\nc\rd\\e"),
        (TEXT, r"\N", r"\\N"),
        (TEXT, r"\.", r"\\."),
        (TEXT, "", ""),
        (TEXT, "ü😀 ", "ü😀 "),
        (BYTES, b"\0\xff", r"\\x00ff"),
        (BYTES, b"", r"\\x"),
        (JSON, {"a": "x\ny"}, r'{"a":"x\\ny"}'),
        (LONG, -5, "-5"),
    ],
)
def test_any_value_is_one_field(column, value, field):
    assert list(text_copy([column], [Batch(1, ((value,),))])) == [f"{field}\n".encode()]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("boolean", True, "True"),
        ("decimal", Decimal("-7.5000"), "-7.5000"),
        ("date", date(2016, 4, 28), "2016-04-28"),
        ("instant", datetime(2016, 4, 28, 5, 0, 0, 1, UTC), "2016-04-28 05:00:00.000001+00:00"),
        ("bytes", b"a", r"\x61"),
        ("text", "a\tb", "a\tb"),
    ],
)
def test_values_have_postgresqls_text_form(kind, value, text):
    assert list(texts(Column("v", None, kind), [value, None])) == [text, None]
