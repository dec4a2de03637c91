"""One table is one table to the ledger, by whichever of its names; and of two contents the newer one stays."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.ledger import TableLedger
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import execute, query, transaction
from airflow_agari_provider.s3.objects import StoredObject, objects_at
from tests.avro.scored_messages import avro_file, messages


@pytest.fixture
def imported(connect: Callable[[], Any], s3: Any, bucket: str) -> Callable[[str], int]:
    """Imports one object of five rows into a table that it is told the name of; how many rows that loaded."""
    s3.put_object(Bucket=bucket, Key="a.avro", Body=messages(5))

    def imported(table: str) -> int:
        with closing(Importer(connect(), s3, ImportJob(table, "r", create_table=True))) as importer:
            return importer.import_object(bucket, "a.avro").rows

    return imported


@pytest.fixture
def schema(connect: Callable[[], Any]) -> str:
    """Where a table is created that is told without a schema."""
    with closing(connect()) as connection:
        if type(connection).__module__.startswith("sqlite3"):
            return "main"
        return str(query(connection, "SELECT " + _schema_function(connection))[0][0])


def _schema_function(connection: Any) -> str:
    return "DATABASE()" if type(connection).__module__.startswith("MySQL") else "current_schema()"


@pytest.mark.parametrize("whole_first", [True, False])
def test_an_object_is_loaded_once_by_all_names_of_its_table(imported, connect, schema, whole_first):
    names = ["scored", f"{schema}.scored"]
    assert [imported(name) for name in (names[::-1] if whole_first else names)] == [5, 0]
    with closing(connect()) as connection:
        assert query(connection, "SELECT COUNT(*) FROM scored") == [(5,)]
        assert query(connection, "SELECT COUNT(*) FROM agari_import_ledger") == [(1,)]


@pytest.mark.parametrize("whole_before", [True, False])
def test_what_was_loaded_when_each_name_was_a_table_of_its_own_stays_loaded(
    imported, connect, schema, s3, bucket, whole_before
):
    names = ["scored", f"{schema}.scored"]
    before, now = names[::-1] if whole_before else names
    imported(before)
    etag = s3.head_object(Bucket=bucket, Key="a.avro")["ETag"].strip('"')
    old_id = sha256(f"{before}\0{bucket}\0a.avro".encode()).hexdigest()
    with closing(connect()) as connection:
        execute(connection, f"UPDATE agari_import_ledger SET id = '{old_id}'")
        connection.commit()
        dialect = dialect_of(connection)
        for name in names:
            ledger = TableLedger(dialect, connection, name, "r")
            assert ledger.is_loaded(bucket, "a.avro", etag)
            stored = StoredObject(bucket, "a.avro", etag, None, 9, datetime(2016, 4, 28, tzinfo=UTC))
            with transaction(dialect, connection):
                assert ledger.claim(stored, "fail") == "there"
    assert [imported(now), imported(before)] == [0, 0]
    with closing(connect()) as connection:
        assert query(connection, "SELECT COUNT(*), MIN(loaded_rows) FROM agari_import_ledger") == [(1, 5)]


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_upper_and_lower_case_name_one_table_where_they_do_to_the_database(imported):
    assert [imported(name) for name in ("scored", "SCORED", "Main.Scored")] == [5, 0, 0]


@pytest.mark.parametrize(
    ("connect", "mode"),
    [
        *[("psycopg", mode) for mode in ("append", "upsert", "replace")],
        ("psycopg2", "upsert"),
        ("mysqlclient", "replace"),
        ("pymysql", "upsert"),
        ("mysql.connector", "upsert"),
    ],
    indirect=["connect"],
)
def test_a_table_of_another_schema_is_loaded_by_its_whole_name(connect, s3, bucket, mode, request):
    """A table of the same name in the own schema is loaded separately."""
    other = f"other_{abs(hash(request.node.name))}"
    options: dict[str, Any] = {
        "append": {},
        "upsert": {"mode": "upsert", "key_columns": ("message_id",)},
        "replace": {"mode": "replace", "replace_where": "org_id = 1"},
    }[mode]
    with closing(connect()) as connection:
        execute(connection, f"CREATE SCHEMA {other}")
        connection.commit()
    s3.put_object(Bucket=bucket, Key="a.avro", Body=messages(5))
    for _ in range(2):
        for table in ("scored", f"{other}.scored"):
            with closing(Importer(connect(), s3, ImportJob(table, "r", create_table=True, **options))) as importer:
                if mode == "replace":
                    importer.replace_window(objects_at(s3, "s3://agari/a.avro"))
                else:
                    importer.import_object("agari", "a.avro")
    with closing(connect()) as connection:
        for table in ("scored", f"{other}.scored", "agari_import_ledger WHERE loaded_rows = 5"):
            rows = {"agari_import_ledger WHERE loaded_rows = 5": 2}.get(table, 5)
            assert query(connection, f"SELECT COUNT(*) FROM {table}") == [(rows,)]
        execute(connection, f"DROP TABLE {other}.scored")
        execute(connection, f"DROP SCHEMA {other}")
        connection.commit()


@pytest.mark.parametrize("connect", ["psycopg"], indirect=True)
def test_a_table_that_is_found_by_the_search_path_has_its_whole_name_in_the_ledger(connect, s3, bucket):
    """Not if the ledger's schema has a table of that name too: rows under the short name may be of either."""
    s3.put_object(Bucket=bucket, Key="a.avro", Body=messages(5))
    job = ImportJob("scored", "r", create_table=True)
    with closing(Importer(connect(), s3, job)) as importer:
        assert importer.import_object(bucket, "a.avro").rows == 5
    session = connect()
    for sql in ("CREATE SCHEMA app", "ALTER TABLE scored SET SCHEMA app", "SET search_path TO app, public"):
        execute(session, sql)
    session.commit()
    with closing(Importer(session, s3, job)) as importer:
        assert importer.import_object(bucket, "a.avro").skipped
        whole_id = sha256(b"app.scored\0agari\0a.avro").hexdigest()
        assert query(session, "SELECT id FROM agari_import_ledger") == [(whole_id,)]
        assert importer.dialect.table_names(session, "scored", "agari_import_ledger") == ("app.scored", "scored")
        execute(session, "CREATE TABLE public.scored ()")
        assert importer.dialect.table_names(session, "scored", "agari_import_ledger") == ("scored",)
        assert importer.dialect.table_names(session, "app.scored", "agari_import_ledger") == ("app.scored",)


@pytest.mark.parametrize("connect", ["sqlite", "psycopg"], indirect=True)
@pytest.mark.parametrize("newer_first", [True, False])
def test_of_two_versions_within_one_second_the_current_one_stays(connect, s3, bucket, newer_first):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    schema = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "int"}, {"name": "v", "type": "string"}]}
    while True:  # two within one second of the clock, however slow the machine
        answers = [
            s3.put_object(Bucket=bucket, Key="a.avro", Body=avro_file([{"id": 1, "v": value}], schema))["VersionId"]
            for value in ("old", "new")
        ]
        times = {s3.head_object(Bucket=bucket, Key="a.avro", VersionId=one)["LastModified"] for one in answers}
        if len(times) == 1:
            break
    job = ImportJob("scored", "r", mode="upsert", key_columns=("id",), on_changed_object="replace", create_table=True)
    with closing(Importer(connect(), s3, job)) as importer:
        for version in answers[::-1] if newer_first else answers:
            importer.import_object(bucket, "a.avro", version)
    with closing(connect()) as connection:
        assert query(connection, "SELECT v FROM scored") == [("new",)]
