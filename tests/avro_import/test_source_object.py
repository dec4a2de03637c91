"""What the header of an object says, and what a job asks of it."""

from __future__ import annotations

import pytest

from airflow_agari_provider.avro.columns import MissingFields, UnsupportedAvroType
from airflow_agari_provider.avro.resolution import ReaderSchemaMismatch
from airflow_agari_provider.avro_import.errors import UnusableName
from airflow_agari_provider.s3.objects import objects_at
from tests.avro.scored_messages import avro_file, message, messages, record_of


@pytest.mark.parametrize("connect", ["sqlite", "psycopg", "psycopg2"], indirect=True)
@pytest.mark.parametrize("name", ["a%b", "a\0b"], ids=["percent", "zero"])
def test_a_field_that_gives_no_column_its_name_is_refused_with_its_object(importer, put, rows, name):
    put("a.avro", avro_file([{name: 1}], record_of(**{name: "int"})))
    with pytest.raises(UnusableName, match="cannot be the name of a table or column"):
        importer().import_object("agari", "a.avro")
    assert "give the column another name" in rows("SELECT reason FROM agari_import_failures")[0]
    assert importer(columns={name: "b"}).import_object("agari", "a.avro").rows == 1
    assert rows("SELECT b FROM scored") == [1]


RENAMED = {"type": "record", "name": "another_name", "fields": [{"name": "message_id", "type": ["null", "string"]}]}
WITHOUT_DEFAULT = {"type": "record", "name": "scored_message", "fields": [{"name": "verdict", "type": "string"}]}


@pytest.mark.parametrize("connect", ["sqlite", "psycopg"], indirect=True)
@pytest.mark.parametrize(
    ("reader_schema", "problem"),
    [
        pytest.param(RENAMED, "named 'scored_message' in the file and 'another_name'", id="name"),
        pytest.param(WITHOUT_DEFAULT, "no field 'verdict', which has no default", id="default"),
    ],
)
@pytest.mark.parametrize("quarantine", [False, True])
def test_a_reader_schema_that_does_not_fit_is_told_and_quarantines_nothing(
    importer, put, rows, s3, reader_schema, problem, quarantine
):
    put("a.avro", messages(10))
    job = {"on_bad_block": "quarantine", "quarantine_url": "s3://agari/quarantine"} if quarantine else {}
    with pytest.raises(ReaderSchemaMismatch, match=problem) as caught:
        importer(reader_schema=reader_schema, **job).import_object("agari", "a.avro")
    assert "the file may be sound" in str(caught.value)
    assert rows("SELECT id FROM agari_import_ledger") == []
    assert [one.key for one in objects_at(s3, "s3://agari/")] == ["a.avro"]


def test_a_reader_schema_adds_what_old_files_do_not_have(importer, put, rows):
    fields = [{"name": "message_id", "type": "string"}, {"name": "verdict", "type": "string", "default": "unknown"}]
    put("a.avro", avro_file([message(1)]))
    importer(reader_schema={"type": "record", "name": "scored_message", "fields": fields}).import_object(
        "agari", "a.avro"
    )
    assert rows("SELECT * FROM scored") == [("m1", "unknown")]


def test_fields_are_selected_and_renamed(importer, put, rows):
    put("a.avro", messages(2))
    columns = {"trust_score": "score", "message_id": "id", "org_id": "org"}
    one = importer(columns=columns, mode="upsert", key_columns=("id",), count_by="org")
    assert one.import_object("agari", "a.avro").counts == {"1": 2}
    assert rows("SELECT * FROM scored ORDER BY id") == [(0.5, "m0", 1), (0.5, "m1", 1)]


@pytest.mark.parametrize(
    "job",
    [{"count_by": "orgid"}, {"columns": ["message_id", "verdict"]}, {"mode": "upsert", "key_columns": ("id",)}],
    ids=["count_by", "columns", "key_columns"],
)
def test_a_column_that_the_file_does_not_have_is_told(importer, put, job):
    put("a.avro", messages(1))
    with pytest.raises(MissingFields, match="no field"):
        importer(**job).import_object("agari", "a.avro")


def test_rows_are_not_counted_by_json(importer, put):
    schema = {"type": "record", "name": "r", "fields": [{"name": "tags", "type": {"type": "array", "items": "string"}}]}
    put("a.avro", avro_file([{"tags": ["x"]}], schema))
    with pytest.raises(UnsupportedAvroType, match="JSON"):
        importer(count_by="tags").import_object("agari", "a.avro")


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_the_column_of_a_file_of_plain_values_is_renamed_and_its_field_is_called_value(importer, put, rows):
    put("a.avro", avro_file(["x"], schema="string"))  # type: ignore[list-item]
    with pytest.raises(MissingFields, match="no field 'name'; it has 'value'"):
        importer(columns=["name"]).import_object("agari", "a.avro")
    importer(columns={"value": "name"}).import_object("agari", "a.avro")
    assert rows("SELECT name FROM scored") == ["x"]


def test_a_file_of_plain_values_has_a_column_of_its_own(importer, put, rows):
    put("a.avro", avro_file(["x", "y"], schema="string"))  # type: ignore[list-item]
    importer().import_object("agari", "a.avro")
    assert rows("SELECT value FROM scored ORDER BY 1") == ["x", "y"]


def test_a_record_without_fields_is_refused(importer, put):
    put("a.avro", avro_file([{}], schema={"type": "record", "name": "nothing", "fields": []}))
    with pytest.raises(UnsupportedAvroType, match="no fields"):
        importer().import_object("agari", "a.avro")
