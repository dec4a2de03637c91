"""Importers that replace and append the same objects at once, in an order that is forced: every row is there once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.databases.errors import MissingTable
from airflow_agari_provider.databases.statements import query
from airflow_agari_provider.s3.objects import objects_at
from tests.avro.scored_messages import messages
from tests.avro_import.importers import importers

WINDOW: dict[str, Any] = {"mode": "replace", "replace_where": "hour = '2016-04-28T05'"}
servers = pytest.mark.parametrize("connect", ["psycopg", "psycopg2", "mysqlclient"], indirect=True)
WAITING = {  # others that a lock keeps waiting, by driver
    "psycopg": "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "MySQLdb": (
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() "
        "AND (state = 'User lock' OR id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx "
        "WHERE trx_state = 'LOCK WAIT'))"
    ),
}


@pytest.fixture
def importer(connect: Callable[[], Any], s3: Any, bucket: str) -> Any:
    """Makes importers into a table that has rows of another window only."""
    s3.put_object(Bucket=bucket, Key="other.avro", Body=messages(1, first=99, hour="2016-04-28T04"))
    with importers(connect, s3, create_table=True) as make:
        make().import_object(bucket, "other.avro")
        yield make


def one_after_the_other(
    connect: Callable[[], Any], first: Importer, run_first: Callable[[], Any], run_second: Callable[[], Any]
) -> list[Any]:
    """Begin the second once the first is about to load, and go on with that when the second waits or is done."""
    loading, go_on, load = threading.Event(), threading.Event(), first.dialect.load

    def held_back(*arguments: Any) -> int:
        loading.set()
        assert go_on.wait(60)
        return load(*arguments)

    first.dialect.load = held_back  # type: ignore[method-assign]
    with closing(connect()) as watch, ThreadPoolExecutor(2) as pool:
        sql = WAITING["psycopg" if type(watch).__module__.startswith("psycopg") else "MySQLdb"]
        one = pool.submit(run_first)
        try:
            assert loading.wait(60)
            two = pool.submit(run_second)
            give_up = time.monotonic() + 30
            while not two.done() and query(watch, sql) == [(0,)] and time.monotonic() < give_up:
                watch.rollback()
                time.sleep(0.2)  # InnoDB refreshes this answer only after a tenth of a second without queries
        finally:
            go_on.set()
        return [one.result(60), two.result(60)]


@servers
@pytest.mark.parametrize("loaded_before", [False, True], ids=["for the first time", "once more"])
def test_a_window_that_two_replace_at_once_is_there_once(importer, connect, s3, bucket, loaded_before):
    s3.put_object(Bucket=bucket, Key="h5/a.avro", Body=messages(10))
    found = objects_at(s3, "s3://agari/h5")
    one, two = importer(**WINDOW), importer(**WINDOW)
    if loaded_before:
        importer(**WINDOW).replace_window(found)
    results = one_after_the_other(connect, one, lambda: one.replace_window(found), lambda: two.replace_window(found))
    assert [[loaded.rows for loaded in result] for result in results] == [[10], [10]]
    with closing(connect()) as connection:
        assert query(connection, "SELECT COUNT(*), COUNT(DISTINCT message_id) FROM scored") == [(11, 11)]


@servers
def test_of_two_that_replace_a_window_by_other_objects_the_later_one_stays(importer, connect, s3, bucket):
    """As where Spark has written the window anew, under other names, between the two listings."""
    s3.put_object(Bucket=bucket, Key="h5/a.avro", Body=messages(10))
    s3.put_object(Bucket=bucket, Key="new/b.avro", Body=messages(7, first=50))
    one, two = importer(**WINDOW), importer(**WINDOW)
    old, new = objects_at(s3, "s3://agari/h5"), objects_at(s3, "s3://agari/new")
    one_after_the_other(connect, one, lambda: one.replace_window(old), lambda: two.replace_window(new))
    with closing(connect()) as connection:
        assert query(connection, "SELECT COUNT(*), MIN(message_id) FROM scored WHERE hour = '2016-04-28T05'") == [
            (7, "m50")
        ]


@servers
@pytest.mark.parametrize("appended_first", [False, True], ids=["replace first", "append first"])
def test_an_object_that_is_appended_while_its_window_is_replaced_is_there_once(
    importer, connect, s3, bucket, appended_first
):
    s3.put_object(Bucket=bucket, Key="h5/a.avro", Body=messages(10))
    appending, replacing = importer(), importer(**WINDOW)
    runs = [
        (appending, lambda: appending.import_object(bucket, "h5/a.avro")),
        (replacing, lambda: replacing.replace_window(objects_at(s3, "s3://agari/h5"))),
    ]
    (first, run_first), (_, run_second) = runs if appended_first else runs[::-1]
    one_after_the_other(connect, first, run_first, run_second)
    with closing(connect()) as connection:
        assert query(connection, "SELECT COUNT(*), COUNT(DISTINCT message_id) FROM scored") == [(11, 11)]
        assert query(connection, "SELECT loaded_rows FROM agari_import_ledger WHERE object_key = 'h5/a.avro'") == [
            (10,)
        ]


def test_a_window_of_no_object_and_no_table_is_empty_or_missing(connect, s3, bucket):
    with closing(Importer(connect(), s3, ImportJob("scored", "r", create_table=True, **WINDOW))) as one:
        assert one.replace_window([]) == []
    with (
        closing(Importer(connect(), s3, ImportJob("scored", "r", **WINDOW))) as one,
        pytest.raises(MissingTable, match="scored"),
    ):
        one.replace_window([])
