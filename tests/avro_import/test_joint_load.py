"""Small objects are loaded together, and yet each is loaded, recorded and fails on its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_agari_provider.avro_import.errors import ObjectsFailed
from airflow_agari_provider.avro_import.failures import failure_reason
from airflow_agari_provider.s3.objects import objects_at
from tests.avro.container_files import by_hand
from tests.avro.sample_schemas import record_of
from tests.avro.scored_messages import avro_file, message, messages
from tests.avro_import.importers import UPSERT, at_work

on_postgres = pytest.mark.parametrize("connect", ["psycopg"], indirect=True)
ODD = by_hand(record_of({"type": "int", "logicalType": "date"}), (1, b"\xff" * 4 + b"\x0f"))
TRANSACTIONS = "SELECT COUNT(DISTINCT xmin::text) FROM agari_import_ledger"


def test_an_odd_object_in_every_tenth_place_harms_no_other(importer, put, rows, s3, connect):
    odd = [b"not Avro", messages(3)[:-1], ODD, b""]
    for number in range(40):
        put(f"{number:02}.avro", odd[number // 10] if number % 10 == 5 else messages(3, first=number * 3))
    with pytest.raises(ObjectsFailed) as failed:
        importer(columns=["message_id", "org_id"], count_by="org_id").import_objects(objects_at(s3, "s3://agari/"))
    assert (failed.value.imported, len(failed.value.reasons)) == (36, 4)
    assert sorted(rows()) == sorted(
        f"m{number * 3 + row}" for number in range(40) for row in range(3) if number % 10 != 5
    )
    ledger = rows("SELECT object_key, loaded_rows, counts, content FROM agari_import_ledger ORDER BY object_key")
    assert [key for key, *_ in ledger] == [f"{number:02}.avro" for number in range(40) if number % 10 != 5]
    counts = [json.loads(text) if isinstance(text, str) else text for _, _, text, _ in ledger]
    assert [(loaded, len(content)) for _, loaded, _, content in ledger] == [(3, 64)] * 36
    assert counts == [{"1": 3}] * 36
    connection = connect()
    assert "not an Avro" in str(failure_reason(connection, "agari", "05.avro"))
    connection.close()


@on_postgres
def test_they_share_a_transaction_and_tell_their_own_figures(importer, put, rows, s3):
    sizes = [1, 2, 0, 3, 500]
    for number, size in enumerate(sizes):
        put(f"{number}.avro", avro_file([message(row, org_id=number) for row in range(size)], block=2000))
    put("x.avro", avro_file([{"message_id": "x", "org_id": 9}], record_of_ids()))
    found = objects_at(s3, "s3://agari/")
    one = importer(columns=["message_id", "org_id"], count_by="org_id")
    one.import_object("agari", "0.avro")
    imported = one.import_objects(found)
    assert [(each.url[-6:], each.rows, each.counts, each.skipped) for each in imported] == [
        ("0.avro", 0, {}, True),
        ("1.avro", 2, {"1": 2}, False),
        ("2.avro", 0, {}, False),
        ("3.avro", 3, {"3": 3}, False),
        ("4.avro", 500, {"4": 500}, False),
        ("x.avro", 1, {"9": 1}, False),
    ]
    assert all(each.size_bytes for each in imported[1:])
    assert rows(TRANSACTIONS) == [3], "the first; those of one schema together; the one of another schema"
    assert len(rows()) == 507
    assert all(each.skipped for each in importer(columns=["message_id", "org_id"]).import_objects(found))


def record_of_ids() -> Any:
    fields = [{"name": "message_id", "type": "string"}, {"name": "org_id", "type": "int"}]
    return {"type": "record", "name": "ids", "fields": fields}


@on_postgres
def test_each_may_have_a_transaction_of_its_own(importer, put, rows, s3):
    for number in range(4):
        put(f"{number}.avro", messages(2, first=number * 2))
    importer(objects_per_transaction=1).import_objects(objects_at(s3, "s3://agari/"))
    assert rows(TRANSACTIONS) == [4]


def test_of_rows_with_one_key_the_last_object_wins(importer, put, rows, s3):
    for number in range(4):
        put(f"{number}.avro", avro_file([message(7, score=float(number))]))
    importer(**UPSERT).import_objects(objects_at(s3, "s3://agari/"))
    assert rows("SELECT trust_score FROM scored") == [3.0]


@on_postgres
def test_rows_that_a_trigger_drops_fail_only_their_object(importer, put, rows, s3, postgres_trigger):
    for number in range(4):
        put(f"{number}.avro", messages(1, first=number))
    with pytest.raises(ObjectsFailed, match=r"1\.avro.*trigger") as failed:
        importer().import_objects(objects_at(s3, "s3://agari/"))
    assert failed.value.imported == 3
    assert rows() == ["m0", "m2", "m3"]


@on_postgres
def test_an_object_that_another_importer_is_loading_comes_last(importer, put, rows, s3, connect):
    for number in range(4):
        put(f"{number}.avro", messages(1, first=number))
    one = importer()
    one.import_object("agari", "0.avro")
    with at_work(connect, "s3://agari/1.avro"):
        imported = one.import_objects(objects_at(s3, "s3://agari/"))
    assert [each.url[-6:] for each in imported] == ["0.avro", "2.avro", "3.avro", "1.avro"]
    assert rows() == ["m0", "m1", "m2", "m3"]
