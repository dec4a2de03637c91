from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_agari_provider.avro.columns import MissingFields, UnsupportedAvroType
from airflow_agari_provider.avro.object_errors import MissingObject, ObjectOverwritten
from airflow_agari_provider.avro.objects import FoundObject, ObjectStream, objects_at
from airflow_agari_provider.avro.resolution import ReaderSchemaMismatch
from airflow_agari_provider.avro_import import Importer
from airflow_agari_provider.exceptions import BadAvro, UnimportableObject
from airflow_agari_provider.import_errors import (
    ObjectBusy,
    ObjectsFailed,
    ObjectsFailedForNow,
    RowsLost,
    RowsRefused,
    UnusableName,
)
from airflow_agari_provider.import_job import ImportedObject, ImportJob
from airflow_agari_provider.loaders.base import execute, query
from airflow_agari_provider.loaders.errors import MissingColumns, MissingTable, UnstorableValue
from airflow_agari_provider.loaders.failures import failure_reason
from airflow_agari_provider.loaders.loaded_content import ObjectChanged
from tests.avro_files import avro_file, message, messages
from tests.importers import at_work, importers

UPSERT: dict[str, Any] = {"mode": "upsert", "key_columns": ("org_id", "message_id")}


@pytest.fixture
def importer(connect: Callable[[], Any], s3: Any, bucket: str) -> Any:
    """Makes importers for jobs; the table is ``scored`` and is created."""
    with importers(connect, s3, create_table=True) as make:
        yield make


@pytest.fixture
def put(s3: Any, bucket: str) -> Callable[[str, bytes], str]:
    """Puts an object, and gives its ETag."""
    return lambda key, data: s3.put_object(Bucket=bucket, Key=key, Body=data)["ETag"].strip('"')


@pytest.fixture
def rows(connect: Callable[[], Any]) -> Callable[[str], list[Any]]:
    def rows(sql: str = "SELECT message_id FROM scored ORDER BY 1") -> list[Any]:
        with closing(connect()) as connection:
            found = query(connection, sql)
        return [row[0] for row in found] if found and len(found[0]) == 1 else found

    return rows


def test_an_object_is_loaded_with_its_counts(importer, put, rows):
    data = avro_file([message(1, 5), message(2, 6), message(3, 6)])
    put("a.avro", data)
    imported = importer(count_by="org_id").import_object("agari", "a.avro")
    assert imported == ImportedObject("s3://agari/a.avro", 3, len(data), {"5": 1, "6": 2})
    assert rows("SELECT message_id, org_id, hour, trust_score FROM scored ORDER BY 1") == [
        ("m1", 5, "2016-04-28T05", 0.5),
        ("m2", 6, "2016-04-28T05", 0.5),
        ("m3", 6, "2016-04-28T05", 0.5),
    ]
    assert rows("SELECT loaded_rows FROM agari_import_ledger") == [3]
    assert rows("SELECT reason FROM agari_import_failures") == []


def test_an_object_of_many_blocks_is_loaded_whole(importer, put, rows):
    put("a.avro", messages(5000))
    assert importer().import_object("agari", "a.avro").rows == 5000
    assert rows("SELECT COUNT(*) FROM scored") == [5000]


@pytest.mark.parametrize("mode", [{}, UPSERT], ids=["append", "upsert"])
def test_an_object_is_loaded_once_however_often_it_is_imported(importer, put, rows, mode):
    etag = put("a.avro", messages(10))
    first = importer(**mode)
    assert first.import_object("agari", "a.avro").skipped is False
    assert first.import_object("agari", "a.avro").skipped is True
    assert first.import_object("agari", "a.avro", etag=etag).skipped is True
    assert importer(**mode).import_object("agari", "a.avro").skipped is True
    assert len(rows()) == 10


def test_what_is_loaded_stays_loaded_when_the_object_is_gone(importer, put, s3):
    """A message that comes again after its object was moved to an archive is no failure."""
    etag = put("a.avro", messages(1))
    importer().import_object("agari", "a.avro")
    s3.delete_object(Bucket="agari", Key="a.avro")
    assert importer().import_object("agari", "a.avro", etag=etag).skipped is True
    with pytest.raises(MissingObject):
        importer().import_object("agari", "a.avro")


@pytest.mark.parametrize("mode", [{}, UPSERT], ids=["append", "upsert"])
def test_importers_at_once_load_every_object_once(importer, put, rows, mode):
    """... the table does not exist when they begin, and all hold the same keys."""
    for number in range(6):
        put(f"{number}.avro", messages(200, first=number * 100))
    importers = [importer(**mode) for _ in range(3)]
    start = threading.Barrier(3, timeout=30)

    def load(one: Importer) -> int:
        start.wait()
        return sum(not one.import_object("agari", f"{number}.avro").skipped for number in range(6))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(load, importers)) == 6
    assert rows("SELECT COUNT(*) FROM scored") == [700 if mode else 1200]


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2", "mysqlclient"], indirect=True)
def test_importers_of_the_same_list_do_not_wait_for_each_other(importer, put, s3, connect):
    """... but take the objects that nobody is at work on, and come back for the others."""
    for number in range(3):
        put(f"{number}.avro", messages(10, first=number * 10))
    second = importer()
    found = objects_at(s3, "s3://agari/")
    with at_work(connect, "s3://agari/0.avro"):
        with pytest.raises(ObjectBusy, match=r"s3://agari/0\.avro"):
            second.import_object("agari", "0.avro", wait=False)
        imported = second.import_objects(found)
    assert [one.url[-6:] for one in imported] == ["1.avro", "2.avro", "0.avro"]
    assert importer().import_object("agari", "0.avro", wait=False).skipped


def test_a_damaged_object_leaves_nothing_and_its_reason(importer, put, rows, connect):
    good = messages(5000)
    put("bad.avro", good[:-100])
    with pytest.raises(BadAvro, match="truncated"):
        importer().import_object("agari", "bad.avro")
    assert rows() == []
    assert rows("SELECT id FROM agari_import_ledger") == []
    with closing(connect()) as connection:
        assert "truncated" in str(failure_reason(connection, "agari", "bad.avro"))
        assert failure_reason(connection, "agari", "good.avro") is None
    put("bad.avro", good)
    assert importer().import_object("agari", "bad.avro").rows == 5000


def test_one_bad_object_does_not_keep_the_others_back(importer, put, rows, s3):
    put("day/1.avro", messages(3))
    put("day/2.avro", messages(3, first=3)[:-1])
    put("day/3.avro", messages(3, first=6))
    put("day/4.avro", b"not Avro")
    with pytest.raises(ObjectsFailed) as caught:
        importer().import_objects(objects_at(s3, "s3://agari/day"))
    assert (caught.value.imported, len(caught.value.reasons)) == (2, 2)
    assert "s3://agari/day/2.avro" in str(caught.value)
    assert rows() == ["m0", "m1", "m2", "m6", "m7", "m8"]


@pytest.fixture
def answer(s3: Any) -> Callable[..., None]:
    """Has S3 answer the requests for a key with an error, from here on."""

    def answer(key: str, status: int, code: str, operation: str = "GetObject") -> None:
        def handle(params: Any, **request: Any) -> Any:
            if params["url_path"].endswith(key):
                parsed = {"Error": {"Code": code, "Message": "No"}, "ResponseMetadata": {"HTTPStatusCode": status}}
                return SimpleNamespace(status_code=status), parsed
            return None

        s3.meta.events.register(f"before-call.s3.{operation}", handle)

    return answer


@pytest.mark.parametrize("connect", ["sqlite", "psycopg"], indirect=True)
@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (403, "InvalidObjectState"), (400, "KMS.DisabledException")]
)
def test_an_object_that_may_not_be_read_does_not_keep_the_others_back(
    importer, put, rows, s3, answer, connect, status, code
):
    for number in range(3):
        put(f"day/{number}.avro", messages(1, first=number))
    answer("day/0.avro", status, code)
    with pytest.raises(ObjectsFailed, match=rf"s3://agari/day/0\.avro is forbidden: .*{code}") as caught:
        importer().import_objects(objects_at(s3, "s3://agari/day"))
    assert "kms:Decrypt" in str(caught.value)
    assert rows() == ["m1", "m2"]
    with closing(connect()) as connection:
        assert code in str(failure_reason(connection, "agari", "day/0.avro"))


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_an_answer_that_passes_ends_the_import_as_it_is(importer, put, s3, answer):
    """It is the same for all objects; a retry goes on."""
    put("day/0.avro", messages(1))
    answer("day/0.avro", 400, "ExpiredToken")
    with pytest.raises(ClientError, match="ExpiredToken"):
        importer().import_objects(objects_at(s3, "s3://agari/day"))


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_an_object_that_is_overwritten_does_not_keep_the_others_back_and_may_be_tried_again(
    importer, put, rows, s3, monkeypatch, connect
):
    for number in range(2):
        put(f"day/{number}.avro", messages(1, first=number))
    read = ObjectStream.read

    def overwritten(self: ObjectStream, size: int, /) -> bytes:
        if self.stored.key == "day/0.avro":
            raise ObjectOverwritten(self.stored.url)
        return read(self, size)

    monkeypatch.setattr(ObjectStream, "read", overwritten)
    with pytest.raises(ObjectsFailedForNow, match=r"s3://agari/day/0\.avro was overwritten") as caught:
        importer().import_objects(objects_at(s3, "s3://agari/day"))
    assert "1 object(s) could not be imported; 1 are in the table" in str(pickle.loads(pickle.dumps(caught.value)))
    assert not isinstance(caught.value, UnimportableObject)
    assert rows() == ["m1"]
    with closing(connect()) as connection:
        assert "overwritten" in str(failure_reason(connection, "agari", "day/0.avro"))


@pytest.mark.parametrize("connect", ["psycopg"], indirect=True)
def test_rows_that_a_trigger_drops_do_not_keep_the_other_objects_back(importer, put, rows, s3, postgres_trigger):
    for number in range(3):
        put(f"day/{number}.avro", messages(1, first=number))
    with pytest.raises(ObjectsFailed, match="has 1 rows, but the database counted 0"):
        importer().import_objects(objects_at(s3, "s3://agari/day"))
    assert rows() == ["m0", "m2"]
    assert "trigger" in rows("SELECT reason FROM agari_import_failures")[0]


def record_of(**fields: Any) -> Any:
    return {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in fields.items()]}


@pytest.mark.parametrize("connect", ["sqlite", "psycopg", "psycopg2"], indirect=True)
@pytest.mark.parametrize("name", ["a%b", "a\0b"], ids=["percent", "zero"])
def test_a_field_that_gives_no_column_its_name_is_refused_with_its_object(importer, put, rows, name):
    put("a.avro", avro_file([{name: 1}], record_of(**{name: "int"})))
    with pytest.raises(UnusableName, match="cannot be the name of a table or column"):
        importer().import_object("agari", "a.avro")
    assert "give the column another name" in rows("SELECT reason FROM agari_import_failures")[0]
    assert importer(columns={name: "b"}).import_object("agari", "a.avro").rows == 1
    assert rows("SELECT b FROM scored") == [1]


@pytest.mark.parametrize("connect", ["sqlite", "psycopg", "psycopg2"], indirect=True)
def test_what_cannot_be_written_down_as_it_is_is_written_down_all_the_same(importer, put, rows):
    """PostgreSQL takes no zero byte, and nobody a half of a character."""
    put("a.avro", avro_file([], record_of(a="int")).replace(b'"name": "a"', b'"name": 5  '))
    put("b.avro", avro_file([], record_of(a="string")).replace(b'"string"', b'"\\u0000"'))
    put("c.avro", avro_file([], record_of(a="string", b="int")).replace(b'"string"', b'"\\ud800"'))
    with pytest.raises(ObjectsFailed) as caught:
        importer().import_objects([FoundObject("agari", f"{name}.avro", "") for name in "abc"])
    assert len(caught.value.reasons) == 3
    assert len(rows("SELECT reason FROM agari_import_failures")) == 3


def test_a_value_that_cannot_be_stored_is_told_with_its_row(importer, put, rows):
    records = [{"id": number, "j": [float(number)]} for number in range(5000)]
    records[3777]["j"] = [1.5, float("nan")]
    put("a.avro", avro_file(records, record_of(id="int", j={"type": "array", "items": "double"})))
    with pytest.raises(UnstorableValue) as caught:
        importer().import_object("agari", "a.avro")
    assert "Column 'j': [1.5, nan] has no JSON form" in str(caught.value)
    assert "row 3777 of s3://agari/a.avro, counted from 0" in str(caught.value)


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


@pytest.mark.parametrize("connect", ["psycopg", "mysqlclient"], indirect=True)
def test_the_documented_tables_are_those_of_the_import(importer, put, rows, connect, request):
    page = (request.config.rootpath / "docs" / "avro_s3_import.md").read_text()
    schema = "current_schema()" if "psycopg" in request.node.name else "DATABASE()"
    heading = "PostgreSQL:\n\n```sql\n" if "psycopg" in request.node.name else "MySQL and MariaDB:\n\n```sql\n"
    tables = page.partition(heading)[2].partition("```")[0]

    def columns() -> list[Any]:
        sql = (
            "SELECT table_name, column_name, data_type, is_nullable, character_set_name, collation_name "
            "FROM information_schema.columns WHERE table_name IN ('agari_import_ledger', 'agari_import_failures') "
            f"AND table_schema = {schema} ORDER BY table_name, ordinal_position"
        )
        return rows(sql)

    importer()
    created = columns()
    with closing(connect()) as connection:
        for statement in ("DROP TABLE agari_import_ledger", "DROP TABLE agari_import_failures", *tables.split(";\n")):
            if statement.strip():
                execute(connection, statement)
        connection.commit()
    assert [row[1] for row in columns()] == [row[1] for row in created]
    assert columns() == created
    put("a.avro", messages(2))
    assert importer().import_object("agari", "a.avro").rows == 2


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


def test_a_zero_byte_in_a_text_is_kept_or_refused(importer, put, rows, request):
    put("a.avro", avro_file([{"text": "a\0b"}], record_of(text="string")))
    if "psycopg" in request.node.name:
        with pytest.raises(RowsRefused):
            importer().import_object("agari", "a.avro")
        return
    importer().import_object("agari", "a.avro")
    assert rows("SELECT text FROM scored") == ["a\0b"]


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


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_no_value_and_the_text_null_are_counted_apart(importer, put):
    values = [None, "null", "null", "x", '"null"']
    put("a.avro", avro_file([{"o": value} for value in values], record_of(o=["null", "string"])))
    imported = importer(count_by="o").import_object("agari", "a.avro")
    assert imported.counts == {"null": 1, '"null"': 2, "x": 1, '""null""': 1}


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_the_column_of_a_file_of_plain_values_is_renamed_and_its_field_is_called_value(importer, put, rows):
    put("a.avro", avro_file(["x"], schema="string"))  # type: ignore[list-item]
    with pytest.raises(MissingFields, match="no field 'name'; it has 'value'"):
        importer(columns=["name"]).import_object("agari", "a.avro")
    importer(columns={"value": "name"}).import_object("agari", "a.avro")
    assert rows("SELECT name FROM scored") == ["x"]


def test_a_failure_names_its_object(importer, put, s3):
    put("day/1.avro", avro_file([{}], schema={"type": "record", "name": "nothing", "fields": []}))
    with pytest.raises(ObjectsFailed, match=r"s3://agari/day/1\.avro: .*no fields"):
        importer().import_objects(objects_at(s3, "s3://agari/day"))


def test_only_ten_failures_are_shown_of_many():
    text = str(pickle.loads(pickle.dumps(ObjectsFailed([f"reason {number}" for number in range(99)], 5))))
    assert "99 object(s)" in text
    assert "reason 9\n... and 89 more" in text


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


def test_changed_content_is_treated_as_told(importer, put, rows):
    put("a.avro", messages(2))
    importer(**UPSERT).import_object("agari", "a.avro")
    put("a.avro", messages(3))
    with pytest.raises(ObjectChanged):
        importer(**UPSERT).import_object("agari", "a.avro")
    assert importer(**UPSERT, on_changed_object="skip").import_object("agari", "a.avro").skipped
    assert len(rows()) == 2
    assert importer(**UPSERT, on_changed_object="replace").import_object("agari", "a.avro").rows == 3
    assert len(rows()) == 3


WINDOW = {"mode": "replace", "replace_where": "hour >= '2016-04-28T05' AND hour < '2016-04-28T06'"}


def test_a_window_is_replaced_as_often_as_wanted(importer, put, rows, s3):
    put("h4.avro", messages(2, first=40, hour="2016-04-28T04"))
    importer().import_object("agari", "h4.avro")
    put("h5/a.avro", messages(2, first=50))
    put("h5/b.avro", messages(2, first=52))
    for _ in range(2):
        imported = importer(**WINDOW).replace_window(objects_at(s3, "s3://agari/h5"))
        assert [one.rows for one in imported] == [2, 2]
        assert rows() == ["m40", "m41", "m50", "m51", "m52", "m53"]
    put("h5/b.avro", messages(1, first=55))
    importer(**WINDOW).replace_window(objects_at(s3, "s3://agari/h5"))
    assert rows() == ["m40", "m41", "m50", "m51", "m55"]
    assert importer(**WINDOW).replace_window([]) == []
    assert rows() == ["m40", "m41"]


def test_a_window_with_a_bad_object_stays_as_it_was(importer, put, rows, s3, connect):
    put("h5/a.avro", messages(2))
    importer(**WINDOW).replace_window(objects_at(s3, "s3://agari/h5"))
    put("h5/a.avro", messages(3))
    put("h5/b.avro", b"not Avro")
    with pytest.raises(BadAvro):
        importer(**WINDOW).replace_window(objects_at(s3, "s3://agari/h5"))
    assert len(rows()) == 2
    with closing(connect()) as connection:
        assert "no Avro" in str(failure_reason(connection, "agari", "h5/b.avro"))


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


def test_a_table_without_a_column_of_the_file_is_told_before_anything_is_loaded(importer, put, rows):
    put("a.avro", messages(1))
    importer(columns=["message_id", "org_id"]).import_object("agari", "a.avro")
    put("b.avro", messages(1, first=1))
    with pytest.raises(
        MissingColumns, match="no column 'hour', 'received_at', 'trust_score'; it has 'message_id', 'org_id'"
    ):
        importer().import_object("agari", "b.avro")
    assert rows() == ["m0"]


def test_a_missing_table_is_told(importer, put):
    put("a.avro", messages(1))
    with pytest.raises(MissingTable, match="create_table"):
        importer(create_table=False).import_object("agari", "a.avro")
    with pytest.raises(MissingTable, match="create_table"):
        importer(create_table=False, **WINDOW).replace_window([FoundObject("agari", "a.avro", "")])


def test_a_reader_schema_adds_what_old_files_do_not_have(importer, put, rows):
    fields = [{"name": "message_id", "type": "string"}, {"name": "verdict", "type": "string", "default": "unknown"}]
    put("a.avro", avro_file([message(1)]))
    importer(reader_schema={"type": "record", "name": "scored_message", "fields": fields}).import_object(
        "agari", "a.avro"
    )
    assert rows("SELECT * FROM scored") == [("m1", "unknown")]


def test_a_file_of_plain_values_has_a_column_of_its_own(importer, put, rows):
    put("a.avro", avro_file(["x", "y"], schema="string"))  # type: ignore[list-item]
    importer().import_object("agari", "a.avro")
    assert rows("SELECT value FROM scored ORDER BY 1") == ["x", "y"]


def test_an_empty_file_is_loaded_as_such(importer, put, rows):
    put("a.avro", avro_file([]))
    assert importer(**UPSERT).import_object("agari", "a.avro").rows == 0
    assert rows("SELECT loaded_rows FROM agari_import_ledger") == [0]


def test_a_record_without_fields_is_refused(importer, put):
    put("a.avro", avro_file([{}], schema={"type": "record", "name": "nothing", "fields": []}))
    with pytest.raises(UnsupportedAvroType, match="no fields"):
        importer().import_object("agari", "a.avro")


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
def test_rows_that_a_trigger_drops_are_no_success(importer, put, rows, postgres_trigger):
    put("a.avro", messages(3))
    with pytest.raises(RowsLost, match="has 3 rows, but the database counted 2"):
        importer().import_object("agari", "a.avro")
    assert rows() == []


@pytest.fixture
def postgres_trigger(connect: Callable[[], Any]) -> None:
    with closing(connect()) as connection:
        connection.cursor().execute(
            "CREATE TABLE scored (message_id text, org_id int, hour text, received_at timestamptz, trust_score float);"
            "CREATE FUNCTION drop_m1() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN CASE WHEN NEW.message_id = 'm1' THEN NULL ELSE NEW END; END $$;"
            "CREATE TRIGGER t BEFORE INSERT ON scored FOR EACH ROW EXECUTE FUNCTION drop_m1()"
        )
        connection.commit()


@pytest.mark.parametrize(
    "job",
    [
        {"mode": "delete"},
        {"mode": "replace"},
        {"replace_where": "true"},
        {"mode": "upsert"},
        {"key_columns": ("id",)},
        {"on_changed_object": "append"},
        {"on_changed_object": "replace"},
        {"on_bad_block": "skip"},
        {"on_bad_block": "quarantine"},
        {"quarantine_url": "s3://agari/quarantine"},
        {"on_bad_block": "quarantine", "quarantine_url": "s3://agari/"},
    ],
    ids=str,
)
def test_arguments_that_do_not_go_together_are_refused(job):
    with pytest.raises(ValueError, match=r"go together|is none of|takes mode|folder"):
        ImportJob("t", "run", **job)
