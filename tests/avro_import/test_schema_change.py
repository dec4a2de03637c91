"""Objects whose fields the table has no columns for: an error, left out, or columns added, with every word of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.avro.columns import UnsupportedAvroType
from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.databases.errors import MissingColumns, SameColumn
from airflow_agari_provider.databases.statements import execute, query
from airflow_agari_provider.exceptions import BadAvro
from airflow_agari_provider.s3.objects import objects_at
from tests.avro.scored_messages import SCORED, avro_file, message, messages
from tests.avro_import.importers import importers

ADD: dict[str, Any] = {"schema_change": "add_columns"}


@pytest.fixture
def importer(connect: Callable[[], Any], s3: Any, bucket: str) -> Any:
    """Makes importers into a table that has two columns of the five fields."""
    with closing(connect()) as connection:
        execute(connection, "CREATE TABLE scored (message_id VARCHAR(99), org_id INTEGER)")
        connection.commit()
    with importers(connect, s3) as make:
        yield make


@pytest.fixture
def rows(connect: Callable[[], Any]) -> Callable[[str], list[Any]]:
    def rows(sql: str) -> list[Any]:
        with closing(connect()) as connection:
            return query(connection, sql)

    return rows


def test_fields_without_a_column_fail_with_what_would_be_added(importer, s3, rows):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(5))
    with pytest.raises(MissingColumns) as caught:
        importer().import_object("agari", "a.avro")
    assert caught.value.missing == ["hour", "received_at", "trust_score"]
    assert 'schema_change="add_columns"' in str(caught.value)
    assert "trust_score" in caught.value.definitions[2]
    assert "DOUBLE" in caught.value.definitions[2].upper() or "REAL" in caught.value.definitions[2]
    assert rows("SELECT COUNT(*) FROM scored") == [(0,)]


def test_fields_without_a_column_are_left_out_with_a_word(importer, s3, rows, caplog):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(5))
    assert importer(schema_change="ignore").import_object("agari", "a.avro").rows == 5
    assert rows("SELECT message_id, org_id FROM scored ORDER BY 1")[0] == ("m0", 1)
    assert "s3://agari/a.avro has fields without a column in scored, which are not loaded: 'hour'" in caplog.text


def test_columns_are_added_with_a_word(importer, s3, rows, caplog):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(5))
    s3.put_object(Bucket="agari", Key="b.avro", Body=messages(5, first=5))
    assert importer(columns=["message_id", "org_id"]).import_object("agari", "b.avro").rows == 5
    assert importer(**ADD).import_object("agari", "a.avro").rows == 5
    assert rows("SELECT hour, trust_score FROM scored WHERE message_id = 'm0'") == [("2016-04-28T05", 0.5)]
    assert rows("SELECT hour, trust_score FROM scored WHERE message_id = 'm5'") == [(None, None)]
    assert [line.split(", NULL")[0].strip() for line in caplog.messages if "trust_score" in line]
    assert "added to scored: s3://agari/a.avro has a field for it" in caplog.text
    caplog.clear()
    assert importer(**ADD).import_object("agari", "a.avro").skipped
    assert "Column" not in caplog.text


def test_a_column_that_the_rows_are_told_apart_or_counted_by_is_not_made_up(importer, s3):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(5))
    for job in ({"count_by": "hour"}, {"mode": "upsert", "key_columns": ("hour",)}):
        for schema_change in ("add_columns", "ignore"):
            with pytest.raises(MissingColumns):
                importer(schema_change=schema_change, **job).import_object("agari", "a.avro")


def test_an_object_with_no_field_for_the_table_is_not_loaded_as_nothing(importer, s3):
    schema = {"type": "record", "name": "r", "fields": [{"name": "other", "type": "int"}]}
    s3.put_object(Bucket="agari", Key="a.avro", Body=avro_file([{"other": 1}], schema))
    with pytest.raises(MissingColumns):
        importer(schema_change="ignore").import_object("agari", "a.avro")


def test_a_failed_load_takes_its_columns_back_where_the_database_can(importer, s3, rows, connect):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(5)[:-1])
    with pytest.raises(BadAvro):
        importer(**ADD).import_object("agari", "a.avro")
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT * FROM scored")
        found = len(cursor.description)
        commits = type(connection).__module__.startswith("MySQLdb")
    assert found == (5 if commits else 2)


def test_importers_at_once_add_a_column_once(importer, s3, rows):
    for number in range(9):
        s3.put_object(Bucket="agari", Key=f"{number}.avro", Body=messages(50, first=number * 50))
    importers = [importer(**ADD) for _ in range(3)]
    start = threading.Barrier(3, timeout=30)

    def load(one: Importer) -> int:
        start.wait()
        return sum(done.rows for done in one.import_objects(objects_at(s3, "s3://agari")))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(load, importers)) == 450
    assert rows("SELECT COUNT(*), COUNT(trust_score) FROM scored") == [(450, 450)]


def test_a_window_gets_the_columns_of_all_its_objects(importer, s3, rows):
    fields = [*SCORED["fields"], {"name": "verdict", "type": "string"}]  # type: ignore[list-item]
    newer = avro_file([message(9) | {"verdict": "good"}], SCORED | {"fields": fields})
    s3.put_object(Bucket="agari", Key="h5/a.avro", Body=messages(3))
    s3.put_object(Bucket="agari", Key="h5/b.avro", Body=newer)
    window = {"mode": "replace", "replace_where": "org_id = 1"}
    for _ in range(2):
        importer(**ADD, **window).replace_window(objects_at(s3, "s3://agari/h5"))
        assert rows("SELECT message_id, verdict FROM scored ORDER BY 1") == [
            ("m0", None),
            ("m1", None),
            ("m2", None),
            ("m9", "good"),
        ]


def test_an_object_that_is_passed_over_adds_no_column(importer, s3, rows):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(3))
    assert importer(schema_change="ignore").import_object("agari", "a.avro").rows == 3
    assert importer(**ADD).import_object("agari", "a.avro").skipped
    assert len(rows("SELECT * FROM scored")[0]) == 2


def test_a_window_whose_objects_were_loaded_without_some_fields_is_not_lost_when_it_gets_their_columns(
    importer, s3, rows
):
    """MySQL commits where a column is added; what was deleted by then would stay deleted when a later object fails."""
    window = {"mode": "replace", "replace_where": "org_id = 1"}
    s3.put_object(Bucket="agari", Key="h5/a.avro", Body=messages(3))
    importer(schema_change="ignore", **window).replace_window(objects_at(s3, "s3://agari/h5"))
    of_two_fields = avro_file([message(3)], SCORED | {"fields": SCORED["fields"][:2]})
    s3.put_object(Bucket="agari", Key="h5/b.avro", Body=of_two_fields[:-1])
    with pytest.raises(BadAvro):
        importer(**ADD, **window).replace_window(objects_at(s3, "s3://agari/h5"))
    assert rows("SELECT COUNT(*) FROM scored") == [(3,)]


NAMES = ["SELECT", "Hour", "über_Maß", "x" * 63, 'a"); DROP TABLE scored; --', "a`b", "it's", "a b"]


def test_added_columns_have_the_names_they_are_told(importer, s3, connect):
    """Reserved, mixed, foreign, long, and such as would end a quoted name."""
    fields = [{"name": f"f{number}", "type": "string"} for number in range(len(NAMES))]
    row = {f"f{number}": f"value {number}" for number in range(len(NAMES))}
    data = avro_file([row], {"type": "record", "name": "r", "fields": fields})
    s3.put_object(Bucket="agari", Key="a.avro", Body=data)
    one = importer(columns=dict(zip(row, NAMES, strict=True)), **ADD)
    assert one.import_object("agari", "a.avro").rows == 1
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT * FROM scored")
        assert [entry[0] for entry in cursor.description] == ["message_id", "org_id", *NAMES]
        assert tuple(cursor.fetchone()) == (None, None, *row.values())


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
def test_a_name_that_postgresql_would_cut_is_not_added(importer, s3, connect):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(2))
    with pytest.raises(UnsupportedAvroType, match="63 bytes"):
        importer(columns={"hour": "x" * 64}, **ADD).import_object("agari", "a.avro")


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
def test_columns_that_differ_in_case_are_two_to_postgresql(importer, s3, rows, connect):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(2))
    one = importer(columns={"message_id": "message_id", "org_id": "ORG_ID"}, **ADD)
    assert one.import_object("agari", "a.avro").rows == 2
    assert rows('SELECT org_id, "ORG_ID" FROM scored') == [(None, 1), (None, 1)]


@pytest.mark.parametrize(
    "job", [{}, ADD, {"table": "created", "create_table": True}], ids=["there", "added", "created"]
)
@pytest.mark.parametrize("connect", ["sqlite", "mysqlclient"], indirect=True)
def test_fields_that_are_one_column_to_the_database_are_told(importer, s3, job, rows):
    fields = [{"name": "org_id", "type": "int"}, {"name": "ORG_ID", "type": "int"}]
    data = avro_file([{"org_id": 1, "ORG_ID": 2}], {"type": "record", "name": "r", "fields": fields})
    s3.put_object(Bucket="agari", Key="a.avro", Body=data)
    with pytest.raises(SameColumn, match="'org_id' and 'ORG_ID', which are one column"):
        importer(**job).import_object("agari", "a.avro")
    assert rows("SELECT COUNT(*) FROM scored") == [(0,)]
