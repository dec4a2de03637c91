"""What is sound of a damaged object is loaded, and the rest is quarantined: together they are all."""

from __future__ import annotations

import io
import json
from contextlib import closing

import fastavro
import pytest

from airflow_agari_provider.avro.blocks import zigzag
from airflow_agari_provider.avro_import.errors import RowsRefused
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import execute
from tests.avro.scored_messages import avro_file, message, messages
from tests.avro_import.bad_objects import FOLDER, quarantine_file, refused_rows, with_a_bad_block
from tests.avro_import.importers import UPSERT


@pytest.mark.parametrize("mode", [{}, UPSERT], ids=["append", "upsert"])
def test_a_damaged_block_is_quarantined_and_the_others_loaded(
    quarantining, put_object, found, quarantined, caplog, mode
):
    data, block = with_a_bad_block()
    put_object(data)
    imported = quarantining(count_by="org_id", **mode).import_object("agari", "a.avro")
    assert (imported.rows, imported.quarantined_rows, imported.quarantined_blocks) == (
        1000 - block.records,
        block.records,
        1,
    )
    assert imported.counts == {"1": 1000 - block.records}
    assert found("SELECT COUNT(*) FROM scored") == [(1000 - block.records,)]
    assert found("SELECT loaded_rows, quarantined_rows, quarantined_blocks FROM agari_import_ledger") == [
        (1000 - block.records, block.records, 1)
    ]
    files = quarantined()
    name = f"block-{block.offset:015d}"
    assert set(files) == {f"{name}.bin", f"{name}.json"}
    assert files[f"{name}.bin"] in data
    assert len(files[f"{name}.bin"]) > len(block.payload)
    about = json.loads(files[f"{name}.json"])
    assert (about["object"], about["offset"], about["records"]) == ("s3://agari/a.avro", block.offset, block.records)
    assert "damaged" in about["reason"]
    assert f"s3://agari/{FOLDER}" in caplog.text
    assert quarantining(**mode).import_object("agari", "a.avro").skipped


def test_a_block_that_says_more_records_than_there_can_be_is_one_bad_block(
    quarantining, put_object, found, quarantined
):
    """... which has an unknown number of rows, and is not one that triggers dropped."""
    marker = b"0123456789abcdef"
    sound = avro_file([message(1)], codec="null", sync_marker=marker)
    put_object(sound + zigzag(2**40) + zigzag(2) + b"\0\0" + marker)
    imported = quarantining().import_object("agari", "a.avro")
    assert (imported.rows, imported.quarantined_rows, imported.quarantined_blocks) == (1, 0, 1)
    assert found("SELECT message_id FROM scored") == [("m1",)]
    assert json.loads(quarantined()[f"block-{len(sound):015d}.json"])["records"] is None


def test_a_sound_object_quarantines_nothing(quarantining, put_object, quarantined):
    put_object(messages(1000))
    assert quarantining().import_object("agari", "a.avro").quarantined_blocks == 0
    assert quarantined() == {}


CONSTRAINTS = [
    pytest.param("message_id VARCHAR(99) NOT NULL, org_id INTEGER", {"message_id": None}, id="not null"),
    pytest.param("message_id VARCHAR(99), org_id INTEGER CHECK (org_id < 9)", {"org_id": 10}, id="check"),
    pytest.param("message_id VARCHAR(99) UNIQUE, org_id INTEGER", {"message_id": "m499"}, id="unique"),
]


@pytest.mark.parametrize(("columns", "bad"), CONSTRAINTS)
def test_rows_that_the_database_refuses_are_quarantined_one_by_one(
    quarantining, put_object, found, quarantined, connect, columns, bad
):
    refused_rows(connect, columns)
    put_object(avro_file([message(number) | (bad if number in (500, 777) else {}) for number in range(1000)]))
    imported = quarantining(columns=["message_id", "org_id"]).import_object("agari", "a.avro")
    assert (imported.rows, imported.quarantined_rows) == (998, 2)
    assert found("SELECT COUNT(*) FROM scored WHERE message_id IN ('m500', 'm777')") == [(0,)]
    assert found("SELECT COUNT(*) FROM scored") == [(998,)]
    files = [content for name, content in quarantined().items() if name.startswith("rows-")]
    bad_rows = [row for data in files for row in fastavro.reader(io.BytesIO(data))]
    assert [row["row"]["trust_score"] for row in bad_rows] == [0.5, 0.5]  # also what was not to be loaded is kept
    assert [row["row"]["received_at"].microsecond for row in bad_rows] == [500, 777]
    assert all(len(row["reason"]) > 10 for row in bad_rows)


@pytest.mark.parametrize("mode", [{}, UPSERT], ids=["append", "upsert"])
def test_many_refused_rows_are_told_apart_from_those_between_them(
    quarantining, put_object, found, quarantined, connect, mode
):
    """... also among rows of one key, of which the last that is not refused stays."""
    key = ", PRIMARY KEY (org_id, message_id)" if mode else ""
    refused_rows(connect, f"message_id VARCHAR(99), org_id INTEGER, trust_score DOUBLE PRECISION NOT NULL{key}")
    scores = [None if number % 2 else float(number) for number in range(200)]
    put_object(avro_file([message(number // 4) | {"trust_score": score} for number, score in enumerate(scores)]))
    imported = quarantining(columns=["message_id", "org_id", "trust_score"], count_by="org_id", **mode).import_object(
        "agari", "a.avro"
    )
    assert (imported.rows, imported.quarantined_rows, imported.counts) == (100, 100, {"1": 100})
    stays = [float(number) for number in range(0, 200, 2) if not mode or number % 4 == 2]
    assert [score for (score,) in found("SELECT trust_score FROM scored ORDER BY trust_score")] == stays
    assert [row["position"] for row in quarantine_file(quarantined())] == list(range(1, 200, 2))


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
def test_values_that_postgresql_cannot_hold_are_quarantined(quarantining, put_object, found, quarantined, connect):
    schema = {"type": "record", "name": "r", "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": "string"},
        {"name": "more", "type": {"type": "map", "values": ["string", "double"]}},
    ]}  # fmt: skip
    refused_rows(connect, "id smallint, name varchar(5), more jsonb")
    put_object(
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
    imported = quarantining().import_object("agari", "a.avro")
    assert (imported.rows, imported.quarantined_rows, imported.quarantined_blocks) == (2, 5, 1)
    assert found("SELECT id FROM scored ORDER BY id") == [(0,), (6,)]
    bad = quarantine_file(quarantined())
    assert [row["position"] for row in bad] == [1, 2, 3, 4, 5]
    assert [row["row"]["id"] for row in bad] == [1, 2, 3, 4, 99999]
    for row, reason in zip(bad, ["0x00", "no JSON form", "", "6 characters", "out of range"], strict=True):
        assert reason in row["reason"]
    assert {row["object"] for row in bad} == {"s3://agari/a.avro"}


def test_a_refusal_at_the_commit_still_fails_the_object(quarantining, put_object, found, connect):
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
    put_object(avro_file([message(1), message(2, org_id=2)]))
    with pytest.raises(RowsRefused, match="orgs"):
        quarantining(columns=["message_id", "org_id"]).import_object("agari", "a.avro")
    assert found("SELECT COUNT(*) FROM scored") == [(0,)]
