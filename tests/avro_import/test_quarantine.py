"""What is in quarantine, under which key, how much of it is allowed, and that it is never imported."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.avro.damaged_file import BadBlock
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.avro_import.quarantine import Quarantine, TooMuchQuarantined, in_quarantine
from airflow_agari_provider.databases.statements import execute
from airflow_agari_provider.s3.objects import StoredObject, objects_at
from tests.avro.scored_messages import SCORED, avro_file, message, messages
from tests.avro_import.bad_objects import refused_rows, with_a_bad_block


def test_without_quarantine_nothing_of_the_object_is_loaded(quarantining, put_object, found, quarantined):
    put_object(with_a_bad_block()[0])
    with pytest.raises(Exception, match="damaged"):
        quarantining(on_bad_block="fail", quarantine_url=None).import_object("agari", "a.avro")
    assert found("SELECT COUNT(*) FROM scored") == [(0,)]
    assert quarantined() == {}


def test_a_retry_writes_the_same_quarantine_again(quarantining, put_object, quarantined, connect):
    data, _ = with_a_bad_block()
    put_object(data)
    refused_rows(connect, "message_id VARCHAR(99), org_id INTEGER CHECK (org_id < 9)")
    job = {"columns": ["message_id", "org_id"]}
    quarantining(**job).import_object("agari", "a.avro")
    first = quarantined()
    with closing(connect()) as connection:
        execute(connection, "DELETE FROM scored")
        execute(connection, "DELETE FROM agari_import_ledger")
        connection.commit()
    quarantining(**job).import_object("agari", "a.avro")
    assert quarantined() == first


def test_more_bad_blocks_than_allowed_load_nothing(quarantining, put_object, found):
    put_object(avro_file([message(number, org_id=number % 2) for number in range(1000)])[:-9])
    with pytest.raises(TooMuchQuarantined, match="max_bad_blocks=0"):
        quarantining(max_bad_blocks=0).import_object("agari", "a.avro")
    assert found("SELECT COUNT(*) FROM scored") == [(0,)]
    assert "max_bad_blocks=0" in found("SELECT reason FROM agari_import_failures")[0][0]
    assert quarantining(max_bad_blocks=1).import_object("agari", "a.avro").quarantined_blocks == 1


def test_a_window_with_a_bad_block_is_replaced_by_what_is_sound(quarantining, s3, bucket, found):
    data, block = with_a_bad_block()
    window = {"mode": "replace", "replace_where": "hour = '2016-04-28T05'"}
    s3.put_object(Bucket=bucket, Key="h5/a.avro", Body=messages(10, first=2000))
    s3.put_object(Bucket=bucket, Key="h5/b.avro", Body=data)
    for _ in range(2):
        first, second = quarantining(**window).replace_window(objects_at(s3, "s3://agari/h5"))
        assert (first.rows, first.quarantined_rows) == (10, 0)
        assert (second.rows, second.quarantined_rows) == (1000 - block.records, block.records)
    assert found("SELECT COUNT(*) FROM scored") == [(1010 - block.records,)]


def test_the_quarantine_itself_is_never_imported(quarantining, put_object, s3, bucket):
    put_object(with_a_bad_block()[0])
    one = quarantining()
    assert len(one.import_objects(objects_at(s3, "s3://agari/"))) == 1
    assert len(objects_at(s3, "s3://agari/")) == 3
    assert len(one.import_objects(objects_at(s3, "s3://agari/"))) == 1


@pytest.mark.parametrize(("key", "inside"), [("quarantine/t/a", True), ("quarantined/a", False), ("a", False)], ids=str)
def test_what_is_in_quarantine_is_told_by_its_key(key, inside):
    assert in_quarantine("s3://agari/quarantine/", "agari", key) is inside
    assert not in_quarantine("s3://agari/quarantine/", "other", key)
    assert not in_quarantine(None, "agari", key)


def test_a_long_key_gets_a_short_name(s3, bucket, caplog):
    caplog.set_level(logging.WARNING)
    stored = StoredObject("agari", "ü" * 500, "e", None, 1, datetime(2016, 4, 28, tzinfo=UTC))
    writer = parse_writer_schema(SCORED, "")
    quarantine = Quarantine(s3, "s3://agari/quarantine", "t", stored, writer, None)
    quarantine.add_block(BadBlock(5, b"x", None, "why"))
    (key, _) = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert len(key.encode()) < 200
    assert "an unknown number of rows" in caplog.text
    assert (quarantine.rows, quarantine.offsets) == (0, {5})
