"""With a quarantine what is sound is loaded, what is not is on S3 with its reason, and together they are all."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest

from airflow_agari_provider.avro.blocks import ContainerFile, zigzag
from airflow_agari_provider.avro.damaged_file import BadBlock
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.avro_import.errors import RowsRefused
from airflow_agari_provider.avro_import.quarantine import Quarantine, TooMuchQuarantined, in_quarantine
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import execute, query
from airflow_agari_provider.s3.objects import StoredObject, objects_at
from tests.avro.scored_messages import SCORED, avro_file, message, messages
from tests.avro_import.importers import UPSERT, importers

FOLDER = "quarantine/scored/agari/a.avro/"


@pytest.fixture
def importer(connect: Callable[[], Any], s3: Any, bucket: str) -> Any:
    settled = {"on_bad_block": "quarantine", "quarantine_url": "s3://agari/quarantine"}
    with importers(connect, s3, create_table=True, **settled) as make:
        yield make


@pytest.fixture
def rows(connect: Callable[[], Any]) -> Callable[[str], list[Any]]:
    def rows(sql: str) -> list[Any]:
        with closing(connect()) as connection:
            return query(connection, sql)

    return rows


@pytest.fixture
def put(s3: Any, bucket: str) -> Callable[[bytes], None]:
    return lambda data: s3.put_object(Bucket=bucket, Key="a.avro", Body=data)


@pytest.fixture
def quarantined(s3: Any, bucket: str) -> Callable[[], dict[str, bytes]]:
    """Contents of what is in quarantine, by name."""

    def quarantined() -> dict[str, bytes]:
        found = s3.list_objects_v2(Bucket=bucket, Prefix="quarantine/").get("Contents", [])
        keys = [entry["Key"] for entry in found]
        assert all(key.startswith(FOLDER) for key in keys)
        return {key.rpartition("/")[2]: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    return quarantined


def with_a_bad_block(rows: int = 1000) -> tuple[bytes, Any]:
    """A file whose second block is smashed, and that block as it was."""
    data = bytearray(avro_file([message(number) for number in range(rows)], block=2000))
    block = list(ContainerFile(io.BytesIO(bytes(data))).blocks())[1]
    at = data.index(block.payload)
    data[at : at + 30] = bytes(30)
    return bytes(data), block


@pytest.mark.parametrize("mode", [{}, UPSERT], ids=["append", "upsert"])
def test_a_damaged_block_is_quarantined_and_the_others_loaded(importer, put, rows, quarantined, caplog, mode):
    data, block = with_a_bad_block()
    put(data)
    imported = importer(count_by="org_id", **mode).import_object("agari", "a.avro")
    assert (imported.rows, imported.quarantined_rows, imported.quarantined_blocks) == (
        1000 - block.records,
        block.records,
        1,
    )
    assert imported.counts == {"1": 1000 - block.records}
    assert rows("SELECT COUNT(*) FROM scored") == [(1000 - block.records,)]
    assert rows("SELECT loaded_rows, quarantined_rows, quarantined_blocks FROM agari_import_ledger") == [
        (1000 - block.records, block.records, 1)
    ]
    found = quarantined()
    name = f"block-{block.offset:015d}"
    assert set(found) == {f"{name}.bin", f"{name}.json"}
    assert found[f"{name}.bin"] in data
    assert len(found[f"{name}.bin"]) > len(block.payload)
    about = json.loads(found[f"{name}.json"])
    assert (about["object"], about["offset"], about["records"]) == ("s3://agari/a.avro", block.offset, block.records)
    assert "damaged" in about["reason"]
    assert f"s3://agari/{FOLDER}" in caplog.text
    assert importer(**mode).import_object("agari", "a.avro").skipped


def test_a_block_that_says_more_records_than_there_can_be_is_one_bad_block(importer, put, rows, quarantined):
    """... which has an unknown number of rows, and is not one that triggers dropped."""
    marker = b"0123456789abcdef"
    sound = avro_file([message(1)], codec="null", sync_marker=marker)
    put(sound + zigzag(2**40) + zigzag(2) + b"\0\0" + marker)
    imported = importer().import_object("agari", "a.avro")
    assert (imported.rows, imported.quarantined_rows, imported.quarantined_blocks) == (1, 0, 1)
    assert rows("SELECT message_id FROM scored") == [("m1",)]
    assert json.loads(quarantined()[f"block-{len(sound):015d}.json"])["records"] is None


def test_without_quarantine_nothing_of_the_object_is_loaded(importer, put, rows, quarantined):
    put(with_a_bad_block()[0])
    with pytest.raises(Exception, match="damaged"):
        importer(on_bad_block="fail", quarantine_url=None).import_object("agari", "a.avro")
    assert rows("SELECT COUNT(*) FROM scored") == [(0,)]
    assert quarantined() == {}


def test_a_sound_object_quarantines_nothing(importer, put, quarantined):
    put(messages(1000))
    assert importer().import_object("agari", "a.avro").quarantined_blocks == 0
    assert quarantined() == {}


def refused_rows(connect: Callable[[], Any], columns: str) -> None:
    """The table, with a constraint."""
    with closing(connect()) as connection:
        execute(connection, f"CREATE TABLE scored ({columns})")
        connection.commit()


def quarantine_file(found: dict[str, bytes]) -> list[dict[str, Any]]:
    (data,) = (content for name, content in found.items() if name.startswith("rows-"))
    return list(fastavro.reader(io.BytesIO(data)))  # type: ignore[arg-type]


CONSTRAINTS = [
    pytest.param("message_id VARCHAR(99) NOT NULL, org_id INTEGER", {"message_id": None}, id="not null"),
    pytest.param("message_id VARCHAR(99), org_id INTEGER CHECK (org_id < 9)", {"org_id": 10}, id="check"),
    pytest.param("message_id VARCHAR(99) UNIQUE, org_id INTEGER", {"message_id": "m499"}, id="unique"),
]


@pytest.mark.parametrize(("columns", "bad"), CONSTRAINTS)
def test_rows_that_the_database_refuses_are_quarantined_one_by_one(
    importer, put, rows, quarantined, connect, columns, bad
):
    refused_rows(connect, columns)
    put(avro_file([message(number) | (bad if number in (500, 777) else {}) for number in range(1000)]))
    imported = importer(columns=["message_id", "org_id"]).import_object("agari", "a.avro")
    assert (imported.rows, imported.quarantined_rows) == (998, 2)
    assert rows("SELECT COUNT(*) FROM scored WHERE message_id IN ('m500', 'm777')") == [(0,)]
    assert rows("SELECT COUNT(*) FROM scored") == [(998,)]
    files = [content for name, content in quarantined().items() if name.startswith("rows-")]
    bad_rows = [row for data in files for row in fastavro.reader(io.BytesIO(data))]
    assert [row["row"]["trust_score"] for row in bad_rows] == [0.5, 0.5]  # also what was not to be loaded is kept
    assert [row["row"]["received_at"].microsecond for row in bad_rows] == [500, 777]
    assert all(len(row["reason"]) > 10 for row in bad_rows)


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
def test_values_that_postgresql_cannot_hold_are_quarantined(importer, put, rows, quarantined, connect):
    schema = {"type": "record", "name": "r", "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": "string"},
        {"name": "more", "type": {"type": "map", "values": ["string", "double"]}},
    ]}  # fmt: skip
    refused_rows(connect, "id smallint, name varchar(5), more jsonb")
    put(
        avro_file(
            [
                {"id": 0, "name": "fine", "more": {}},
                {"id": 1, "name": "a\0b", "more": {}},
                {"id": 2, "name": "x", "more": {"a": float("nan")}},
                {"id": 3, "name": "x", "more": {"a": "\0"}},
                {"id": 4, "name": "longer", "more": {}},
                {"id": 99999, "name": "x", "more": {}},
                {"id": 6, "name": "fine", "more": {"a": 1.5}},
            ],
            schema,
        )
    )
    imported = importer().import_object("agari", "a.avro")
    assert (imported.rows, imported.quarantined_rows, imported.quarantined_blocks) == (2, 5, 1)
    assert rows("SELECT id FROM scored ORDER BY id") == [(0,), (6,)]
    bad = quarantine_file(quarantined())
    assert [row["position"] for row in bad] == [1, 2, 3, 4, 5]
    assert [row["row"]["id"] for row in bad] == [1, 2, 3, 4, 99999]
    for row, reason in zip(bad, ["0x00", "no JSON form", "", "6 characters", "out of range"], strict=True):
        assert reason in row["reason"]
    assert {row["object"] for row in bad} == {"s3://agari/a.avro"}


def test_a_retry_writes_the_same_quarantine_again(importer, put, quarantined, connect):
    data, _ = with_a_bad_block()
    put(data)
    refused_rows(connect, "message_id VARCHAR(99), org_id INTEGER CHECK (org_id < 9)")
    job = {"columns": ["message_id", "org_id"]}
    importer(**job).import_object("agari", "a.avro")
    first = quarantined()
    with closing(connect()) as connection:
        execute(connection, "DELETE FROM scored")
        execute(connection, "DELETE FROM agari_import_ledger")
        connection.commit()
    importer(**job).import_object("agari", "a.avro")
    assert quarantined() == first


def test_more_bad_blocks_than_allowed_load_nothing(importer, put, rows):
    put(avro_file([message(number, org_id=number % 2) for number in range(1000)])[:-9])
    with pytest.raises(TooMuchQuarantined, match="max_bad_blocks=0"):
        importer(max_bad_blocks=0).import_object("agari", "a.avro")
    assert rows("SELECT COUNT(*) FROM scored") == [(0,)]
    assert "max_bad_blocks=0" in rows("SELECT reason FROM agari_import_failures")[0][0]
    assert importer(max_bad_blocks=1).import_object("agari", "a.avro").quarantined_blocks == 1


def test_a_window_with_a_bad_block_is_replaced_by_what_is_sound(importer, s3, bucket, rows):
    data, block = with_a_bad_block()
    window = {"mode": "replace", "replace_where": "hour = '2016-04-28T05'"}
    s3.put_object(Bucket=bucket, Key="h5/a.avro", Body=messages(10, first=2000))
    s3.put_object(Bucket=bucket, Key="h5/b.avro", Body=data)
    for _ in range(2):
        first, second = importer(**window).replace_window(objects_at(s3, "s3://agari/h5"))
        assert (first.rows, first.quarantined_rows) == (10, 0)
        assert (second.rows, second.quarantined_rows) == (1000 - block.records, block.records)
    assert rows("SELECT COUNT(*) FROM scored") == [(1010 - block.records,)]


def test_the_quarantine_itself_is_never_imported(importer, put, s3, bucket):
    put(with_a_bad_block()[0])
    one = importer()
    assert len(one.import_objects(objects_at(s3, "s3://agari/"))) == 1
    assert len(objects_at(s3, "s3://agari/")) == 3
    assert len(one.import_objects(objects_at(s3, "s3://agari/"))) == 1


def test_a_refusal_at_the_commit_still_fails_the_object(importer, put, rows, connect):
    """A constraint that waits for the commit gives no chance to find the row."""
    with closing(connect()) as connection:
        if dialect_of(connection).driver.__name__ == "MySQLdb":
            return  # has no such constraints
        execute(connection, "CREATE TABLE orgs (id INTEGER PRIMARY KEY)")
        execute(connection, "INSERT INTO orgs VALUES (1)")
        if dialect_of(connection).driver.__name__ == "sqlite3":
            return  # checks foreign keys only where a connection asks for it
        execute(
            connection,
            "CREATE TABLE scored (message_id TEXT, org_id INTEGER REFERENCES orgs (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        connection.commit()
    put(avro_file([message(1), message(2, org_id=2)]))
    with pytest.raises(RowsRefused, match="orgs"):
        importer(columns=["message_id", "org_id"]).import_object("agari", "a.avro")
    assert rows("SELECT COUNT(*) FROM scored") == [(0,)]


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
