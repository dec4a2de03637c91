"""A database without a dialect of its own: a driver that the package does not know, and a real server by plain SQL."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg2
import pytest

from airflow_agari_provider.avro.columns import Column, UnsupportedAvroType
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro_import.failures import failure_reason
from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.ledger import ClaimedMeanwhile, TableLedger
from airflow_agari_provider.avro_import.ledger_tables import create_import_tables
from airflow_agari_provider.avro_import.load_state import load_state
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.generic import GenericDialect, NoTransactions, NoUpsert
from airflow_agari_provider.databases.statements import create_table, execute, query, transaction
from airflow_agari_provider.exceptions import BadAvro
from airflow_agari_provider.s3.objects import StoredObject, objects_at
from tests.avro.scored_messages import avro_file, message, messages
from tests.avro_import.importers import importers
from tests.databases import other_driver


@pytest.fixture
def importer(sqlite_path: Any, s3: Any, bucket: str) -> Any:
    with importers(lambda: other_driver.connect(sqlite_path), s3, create_table=True) as make:
        yield make


@pytest.fixture
def rows(sqlite_path: Any) -> Callable[[str], list[Any]]:
    def rows(sql: str) -> list[Any]:
        with closing(other_driver.connect(sqlite_path)) as connection:
            return query(connection, sql)

    return rows


def test_an_object_is_loaded_once(importer, s3, rows):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(1000))
    assert importer(count_by="org_id").import_object("agari", "a.avro").counts == {"1": 1000}
    assert importer().import_object("agari", "a.avro").skipped
    assert rows("SELECT COUNT(*), MIN(message_id), MAX(trust_score) FROM scored") == [(1000, "m0", 0.5)]
    assert rows("SELECT loaded_rows, run FROM agari_import_ledger") == [(1000, "r")]


def test_a_damaged_object_leaves_nothing_and_its_reason(importer, s3, rows, sqlite_path):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(1000)[:-1])
    with pytest.raises(BadAvro):
        importer().import_object("agari", "a.avro")
    assert rows("SELECT COUNT(*) FROM scored") == [(0,)]
    with closing(other_driver.connect(sqlite_path)) as connection:
        assert "truncated" in str(failure_reason(connection, "agari", "a.avro"))


def test_the_objects_that_are_not_loaded_are_known(importer, s3, sqlite_path):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(10))
    s3.put_object(Bucket="agari", Key="b.avro", Body=messages(1000)[:-1])
    importer().import_object("agari", "a.avro")
    with pytest.raises(BadAvro):
        importer().import_object("agari", "b.avro")
    with closing(other_driver.connect(sqlite_path)) as connection:
        state = load_state(connection, "scored", objects_at(s3, "s3://agari/"))
    assert (state.loaded, state.failed, state.missing) == (1, ["s3://agari/b.avro"], [])


def test_importers_at_once_load_every_object_once(importer, s3, rows):
    for number in range(6):
        s3.put_object(Bucket="agari", Key=f"{number}.avro", Body=messages(100, first=number * 100))
    importers = [importer() for _ in range(3)]
    start = threading.Barrier(3, timeout=30)

    def load(one: Importer) -> int:
        start.wait()
        return sum(done.rows for done in one.import_objects(objects_at(s3, "s3://agari")))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(load, importers)) == 600
    assert rows("SELECT COUNT(*), COUNT(DISTINCT message_id) FROM scored") == [(600, 600)]


def test_a_window_is_replaced(importer, s3, rows):
    window = {"mode": "replace", "replace_where": "hour = '2016-04-28T05'"}
    s3.put_object(Bucket="agari", Key="h5/a.avro", Body=messages(10))
    for _ in range(2):
        assert [one.rows for one in importer(**window).replace_window(objects_at(s3, "s3://agari/h5"))] == [10]
    assert rows("SELECT COUNT(*) FROM scored") == [(10,)]


def test_columns_are_added_and_rows_quarantined(importer, s3, rows):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(5))
    importer(columns=["message_id", "org_id"]).import_object("agari", "a.avro")
    s3.put_object(Bucket="agari", Key="b.avro", Body=avro_file([message(7), message(8, score=float("nan"))]))
    job = {"schema_change": "add_columns", "on_bad_block": "quarantine", "quarantine_url": "s3://agari/bad"}
    imported = importer(**job).import_object("agari", "b.avro")
    assert (imported.rows, imported.quarantined_rows) == (1, 1)
    assert rows("SELECT message_id, trust_score FROM scored WHERE hour IS NOT NULL") == [("m7", 0.5)]


def test_an_upsert_is_refused(importer, s3):
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(5))
    with pytest.raises(NoUpsert):
        importer(mode="upsert", key_columns=("message_id",)).import_object("agari", "a.avro")


def test_a_connection_that_commits_by_itself_is_refused(sqlite_path, s3, rows):
    with pytest.raises(NoTransactions, match=r"other_driver\.Connection"):
        Importer(other_driver.connect(sqlite_path, autocommits=True), s3, ImportJob("scored", "r"))
    assert rows("SELECT COUNT(*) FROM agari_import_ledger") == [(0,)]


@pytest.fixture
def postgres(cleared_postgres_uri: str) -> Any:
    """A connection to PostgreSQL that is treated as one to any database."""
    with closing(psycopg2.connect(cleared_postgres_uri)) as connection:
        yield connection


INSTANT = datetime(2016, 4, 28, 5, 0, 0, 123456, UTC)
VALUES: list[tuple[Column, Any, Any]] = [
    (Column("a_boolean", None, "boolean"), True, True),
    (Column("an_integer", None, "integer"), -(2**31), -(2**31)),
    (Column("a_long", None, "long"), 2**63 - 1, 2**63 - 1),
    (Column("a_double", None, "double"), 1 / 3, 1 / 3),
    (Column("a_text", None, "text"), "a'b\"c\\d\te\nü😀 ", "a'b\"c\\d\te\nü😀 "),
    (Column("a_decimal", None, "decimal", precision=12, scale=4), Decimal("-1.9012"), Decimal("-1.9012")),
    (Column("a_uuid", None, "uuid"), UUID(int=5), str(UUID(int=5))),
    (Column("a_date", None, "date"), date(2016, 4, 28), date(2016, 4, 28)),
    (Column("a_time", None, "time"), time(5, 1, 2, 3), time(5, 1, 2, 3)),
    (Column("an_instant", None, "instant"), INSTANT, INSTANT.replace(tzinfo=None)),
    (Column("a_local_time", None, "local_time"), INSTANT.replace(tzinfo=None), INSTANT.replace(tzinfo=None)),
    (Column("some_json", None, "json"), {"a": [1, None]}, '{"a":[1,null]}'),
    (Column("SELECT", None, "text"), None, None),
]


def test_every_value_comes_back_from_a_real_server(postgres):
    dialect = GenericDialect(psycopg2)
    dialect.prepare(postgres)
    target = Target("t", tuple(column for column, _, _ in VALUES))
    create_table(dialect, postgres, target)
    with transaction(dialect, postgres):
        batch = Batch(1, tuple((value,) for _, value, _ in VALUES))
        assert dialect.load(postgres, target, [batch]) == 1
    assert query(postgres, "SELECT * FROM t") == [tuple(expected for _, _, expected in VALUES)]


def wait_until_blocked(uri: str, pid: int) -> None:
    with closing(psycopg2.connect(uri)) as connection:
        connection.autocommit = True
        for _ in range(1000):
            if query(connection, "SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,)) == [(True,)]:
                return
            clock.sleep(0.03)
    raise AssertionError("nothing waits")


def test_an_object_is_claimed_once_on_a_real_server(postgres, cleared_postgres_uri):
    """... also where another importer claims it between the look and the claim, as a snapshot has it."""
    dialect = GenericDialect(psycopg2)
    dialect.prepare(postgres)
    create_import_tables(dialect, postgres)
    stored = StoredObject("b", "k", "e1", None, 10, INSTANT)
    ledger = TableLedger(dialect, postgres, "t", "run")
    with closing(psycopg2.connect(cleared_postgres_uri)) as other, ThreadPoolExecutor(1) as pool:
        with transaction(dialect, other):
            assert TableLedger(dialect, other, "t", "run").claim(stored, "fail") == "load"
            late = pool.submit(ledger.claim, stored, "fail")
            wait_until_blocked(cleared_postgres_uri, postgres.info.backend_pid)
        with pytest.raises(ClaimedMeanwhile):
            late.result(30)
    postgres.rollback()
    with transaction(dialect, postgres):
        assert ledger.claim(stored, "fail") == "there"


@pytest.mark.parametrize(
    ("column", "value", "error"),
    [
        (Column("v", None, "bytes"), b"x", UnsupportedAvroType),
        (Column("v", None, "decimal", precision=39), Decimal(1), UnsupportedAvroType),
        (Column("v", None, "double"), float("inf"), UnstorableValue),
        (Column("v", None, "json"), [float("nan")], UnstorableValue),
    ],
    ids=["bytes", "decimal", "infinity", "NaN in JSON"],
)
def test_what_not_every_database_holds_is_refused(postgres, column, value, error):
    target = Target("t", (column,))

    def load() -> None:
        create_table(GenericDialect(psycopg2), postgres, target)
        GenericDialect(psycopg2).load(postgres, target, [Batch(1, ((value,),))])

    with pytest.raises(error, match="'v'"):
        load()


def test_a_driver_that_does_not_count_rows_is_believed_to_insert_them(sqlite_path, s3, bucket, rows, monkeypatch):
    """... as PEP 249 lets it, with -1."""
    monkeypatch.setattr(other_driver.Cursor, "rowcount", property(lambda self: -1))
    s3.put_object(Bucket="agari", Key="a.avro", Body=messages(5))
    job = ImportJob("scored", "r", create_table=True)
    with closing(Importer(other_driver.connect(sqlite_path), s3, job)) as importer:
        assert importer.import_object("agari", "a.avro").rows == 5
    assert rows("SELECT COUNT(*) FROM scored") == [(5,)]


def test_a_text_is_not_made_a_number(postgres):
    """... as far as the driver tells what a column holds."""
    dialect = GenericDialect(psycopg2)
    dialect.prepare(postgres)
    execute(postgres, "CREATE TABLE t (number numeric, word text)")
    dialect.require_lossless(postgres, Target("t", (Column("word", None, "text"), Column("number", None, "integer"))))
    with pytest.raises(UnsupportedAvroType, match="'number': the table has it as numbers"):
        dialect.require_lossless(postgres, Target("t", (Column("number", None, "text"),)))
