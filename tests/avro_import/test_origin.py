"""Each row may say which object it came from, and an object that is written anew then replaces exactly its own rows."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.origin import RowsWithoutOrigin
from airflow_agari_provider.databases.errors import MissingColumns, SameColumn
from airflow_agari_provider.s3.objects import objects_at
from tests.avro.scored_messages import avro_file, message, messages
from tests.avro_import.importers import QUARANTINE

ORIGIN = {"object_url": "source", "row_number": "number", "load_run": "loaded_by"}
ANEW: dict[str, Any] = {"mode": "replace_objects", "origin_columns": ORIGIN}
FOUND = "SELECT source, number, loaded_by, message_id FROM scored ORDER BY source, number"


@pytest.mark.parametrize("decoder", ["auto", "fastavro"])
def test_each_row_tells_its_object_its_number_and_its_run(decoder, importer, put, rows, s3):
    for name, first in (("a", 0), ("b", 2), ("c", 4)):
        put(f"{name}.avro", messages(2, first=first))
    one = importer(origin_columns=ORIGIN, decoder=decoder, run="dag/run")
    one.import_object("agari", "a.avro")
    one.import_objects(objects_at(s3, "s3://agari/"))
    assert rows(FOUND) == [
        (f"s3://agari/{name}.avro", number, "dag/run", f"m{first + number}")
        for name, first in (("a", 0), ("b", 2), ("c", 4))
        for number in range(2)
    ]


def test_an_object_that_is_written_anew_replaces_exactly_its_own_rows(importer, put, rows, s3):
    """... also where the database takes its URL for another one, because of upper and lower case."""
    put("a.avro", messages(3))
    put("A.avro", messages(2, first=10))
    importer(**ANEW).import_objects(objects_at(s3, "s3://agari/"))
    put("a.avro", messages(1, first=20))
    imported = importer(**ANEW).import_objects(objects_at(s3, "s3://agari/"))
    assert [one.rows for one in imported] == [0, 1]
    assert sorted(rows("SELECT message_id FROM scored")) == ["m10", "m11", "m20"]
    assert rows("SELECT loaded_rows FROM agari_import_ledger ORDER BY loaded_rows") == [1, 2]


@pytest.mark.parametrize("connect", ["psycopg"], indirect=True)
def test_rows_that_were_loaded_without_their_origin_are_not_doubled(importer, put, rows):
    put("a.avro", messages(3))
    importer().import_object("agari", "a.avro")
    put("a.avro", messages(1, first=20))
    with pytest.raises(RowsWithoutOrigin, match="3 rows, but no row of the table has it in column 'source'"):
        importer(**ANEW, schema_change="add_columns").import_object("agari", "a.avro")
    assert len(rows("SELECT message_id FROM scored")) == 3
    put("b.avro", messages(1, first=30))
    importer(**ANEW, schema_change="add_columns").import_object("agari", "b.avro")
    assert rows("SELECT source FROM scored WHERE source IS NOT NULL") == ["s3://agari/b.avro"]


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_rows_keep_their_numbers_beside_those_in_quarantine(importer, put, rows, connect):
    connection = connect()
    columns = "message_id TEXT, org_id INTEGER NOT NULL, source TEXT, number INTEGER, loaded_by TEXT"
    connection.execute(f"CREATE TABLE scored ({columns})")
    connection.close()
    put("a.avro", avro_file([message(n) | {"org_id": None if n % 3 == 1 else 1} for n in range(100)], block=900))
    settled = {"columns": ["message_id", "org_id"], "origin_columns": ORIGIN}
    assert importer(**settled, **QUARANTINE).import_object("agari", "a.avro").quarantined_rows == 33
    assert rows("SELECT number, message_id FROM scored ORDER BY number") == [
        (number, f"m{number}") for number in range(100) if number % 3 != 1
    ]


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_a_table_without_the_columns_and_a_field_of_their_name_are_told(importer, put):
    put("a.avro", messages(1))
    importer().import_object("agari", "a.avro")
    put("b.avro", messages(1))
    for schema_change in ("fail", "ignore"):
        with pytest.raises(MissingColumns, match="source"):
            importer(origin_columns=ORIGIN, schema_change=schema_change).import_object("agari", "b.avro")
    with pytest.raises(SameColumn):
        importer(origin_columns={"load_run": "hour"}).import_object("agari", "b.avro")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"mode": "replace_objects"}, "needs origin_columns"),
        ({"mode": "replace_objects", "origin_columns": {"load_run": "r"}}, "needs origin_columns"),
        ({"origin_columns": {"url": "source"}}, "object_url, row_number, load_run"),
    ],
)
def test_settings_that_do_not_fit_are_told(settings, problem):
    with pytest.raises(ValueError, match=problem):
        ImportJob("scored", "r", **settings)
