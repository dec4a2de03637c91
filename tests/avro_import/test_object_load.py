"""The rows of an object are in the table as they are, and counted, or none of them is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from threading import Event
from typing import Any

import pytest

from airflow_agari_provider.avro.blocks import Block, ContainerFile
from airflow_agari_provider.avro_import.errors import RowsLost, RowsRefused
from airflow_agari_provider.avro_import.failures import failure_reason
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.exceptions import BadAvro
from tests.avro.scored_messages import avro_file, message, messages, record_of
from tests.avro_import.importers import UPSERT

LOCAL = {"type": "long", "logicalType": "local-timestamp-millis"}
RARER: dict[str, tuple[Any, Any]] = {
    "duration": ({"type": "fixed", "name": "du", "size": 12, "logicalType": "duration"}, b"\1\0\0\0\2\0\0\0\3\0\0\0"),
    "decimal": (
        {"type": "fixed", "name": "de", "size": 8, "logicalType": "decimal", "precision": 10, "scale": 3},
        Decimal("-12.340"),
    ),
    "local": (LOCAL, datetime(2016, 4, 28, 5, 0, 0, 1000)),
    "nanos": ({"type": "long", "logicalType": "timestamp-nanos"}, 1_461_819_600_000_000_001),
    "uuid": ({"type": "fixed", "name": "u", "size": 16, "logicalType": "uuid"}, bytes(15) + b"\5"),
}


def test_values_of_rarer_types_arrive_as_they_are(importer, put, rows, request):
    data = avro_file(
        [{name: value for name, (_, value) in RARER.items()}],
        record_of(**{name: kind for name, (kind, _) in RARER.items()}),
    )
    put("a.avro", data)
    importer().import_object("agari", "a.avro")
    ((duration, decimal, local, nanos, uuid),) = rows("SELECT * FROM scored")
    as_text = "sqlite" in request.node.name
    assert bytes(duration) == b"\1\0\0\0\2\0\0\0\3\0\0\0"
    assert decimal == ("-12.340" if as_text else Decimal("-12.340"))
    assert str(local) == ("2016-04-28T05:00:00.001000" if as_text else "2016-04-28 05:00:00.001000")
    assert (nanos, str(uuid)) == (1_461_819_600_000_000_001, "00000000-0000-0000-0000-000000000005")


@pytest.mark.parametrize(
    ("value", "kind"), [("a\0b", "string"), (["a\0b"], {"type": "array", "items": "string"})], ids=["text", "list"]
)
def test_a_zero_byte_in_a_text_is_kept_or_refused(importer, put, rows, request, value, kind):
    put("a.avro", avro_file([{"text": value}], record_of(text=kind)))
    if "psycopg" in request.node.name:
        with pytest.raises(RowsRefused, match=r"cannot hold the character U\+0000: remove it .* columns="):
            importer().import_object("agari", "a.avro")
        return
    importer().import_object("agari", "a.avro")
    assert rows("SELECT text FROM scored")[0] in ("a\0b", '["a\\u0000b"]')


def test_a_value_that_cannot_be_stored_is_told_with_its_row(importer, put, rows):
    records = [{"id": number, "j": [float(number)]} for number in range(5000)]
    records[3777]["j"] = [1.5, float("nan")]
    put("a.avro", avro_file(records, record_of(id="int", j={"type": "array", "items": "double"})))
    with pytest.raises(UnstorableValue) as caught:
        importer().import_object("agari", "a.avro")
    assert "Column 'j': [1.5, nan] has no JSON form" in str(caught.value)
    assert "row 3777 of s3://agari/a.avro, counted from 0" in str(caught.value)


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_no_value_and_the_text_null_are_counted_apart(importer, put):
    values = [None, "null", "null", "x", '"null"']
    put("a.avro", avro_file([{"o": value} for value in values], record_of(o=["null", "string"])))
    imported = importer(count_by="o").import_object("agari", "a.avro")
    assert imported.counts == {"null": 1, '"null"': 2, "x": 1, '""null""': 1}


def test_an_upsert_takes_the_newer_row_of_another_object(importer, put, rows):
    put("a.avro", avro_file([message(1, score=0.1), message(2, score=0.1)]))
    put("b.avro", avro_file([message(2, score=0.9), message(3, score=0.9)]))
    one = importer(**UPSERT)
    one.import_object("agari", "a.avro")
    one.import_object("agari", "b.avro")
    assert rows("SELECT message_id, trust_score FROM scored ORDER BY 1") == [("m1", 0.1), ("m2", 0.9), ("m3", 0.9)]


def test_a_key_without_a_value_is_refused(importer, put, rows, connect):
    put("a.avro", avro_file([message(1), message(2) | {"message_id": None}]))
    with pytest.raises(UnstorableValue, match="'message_id': a value is missing"):
        importer(**UPSERT).import_object("agari", "a.avro")
    assert rows() == []
    with closing(connect()) as connection:
        assert "part of the key" in str(failure_reason(connection, "agari", "a.avro"))


def test_an_empty_file_is_loaded_as_such(importer, put, rows):
    put("a.avro", avro_file([]))
    assert importer(**UPSERT).import_object("agari", "a.avro").rows == 0
    assert rows("SELECT loaded_rows FROM agari_import_ledger") == [0]


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
def test_rows_that_a_trigger_drops_are_not_a_success(importer, put, rows, postgres_trigger):
    put("a.avro", messages(3))
    with pytest.raises(RowsLost, match="has 3 rows, but the database counted 2"):
        importer().import_object("agari", "a.avro")
    assert rows() == []


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
def test_an_import_that_is_told_to_end_ends_although_s3_hangs(importer, put, rows, monkeypatch):
    class ToldToEnd(BaseException):
        pass

    def told(*_: Any) -> None:
        raise ToldToEnd

    released = Event()

    def hanging(self: ContainerFile) -> Iterator[Block]:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        assert released.wait(60)
        yield from ()

    monkeypatch.setattr(ContainerFile, "blocks", hanging)
    monkeypatch.setattr("airflow_agari_provider.s3.read_ahead.FAREWELL", 0.1)
    put("a.avro", messages(3))
    before = signal.signal(signal.SIGALRM, told)
    try:
        with pytest.raises(ToldToEnd):
            importer().import_object("agari", "a.avro")
    finally:
        signal.signal(signal.SIGALRM, before)
        released.set()
    assert rows() == []


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_a_column_of_many_values_is_counted_for_the_first_of_them(importer, put):
    """... which are the same in all objects, so that each count is whole."""
    put("a.avro", avro_file([message(number % 5, org_id=number % 5) for number in range(20)]))
    put("b.avro", avro_file([message(number, org_id=number) for number in (9, 1, 2, 3)]))
    put("c.avro", avro_file([message(0) | {"hour": hour} for hour in ("x" * 1001, None)]))
    one = importer(count_by="org_id", max_counts=3)
    first, second = (one.import_object("agari", key) for key in ("a.avro", "b.avro"))
    assert (first.counts, first.uncounted_rows) == ({"0": 4, "1": 4, "2": 4}, 8)
    assert (second.counts, second.uncounted_rows) == ({"1": 1, "2": 1}, 2)
    long = importer(count_by="hour").import_object("agari", "c.avro")
    assert (long.counts, long.uncounted_rows) == ({"null": 1}, 1)


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("careful", [False, True], ids=["fail", "quarantine"])
def test_a_block_beyond_the_limit_is_told_with_what_to_do(careful, importer, put, caplog):
    put("a.avro", avro_file([message(number) for number in range(200)], codec="null", block=10**6))
    settings = {"on_bad_block": "quarantine", "quarantine_url": "s3://agari/quarantine"} if careful else {}
    if careful:
        assert importer(**settings, max_block_bytes=1000).import_object("agari", "a.avro").quarantined_rows == 200
        assert "larger than max_block_bytes=1000" in caplog.text
        return
    with pytest.raises(BadAvro, match="larger than max_block_bytes=1000; if it is not damaged, raise max_block_bytes"):
        importer(max_block_bytes=1000).import_object("agari", "a.avro")
    assert importer(max_block_bytes=10**6).import_object("agari", "a.avro").rows == 200
