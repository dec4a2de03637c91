"""The history in real databases: tables, pruning, old tables, races, and what happens when it cannot be used."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.alerts.threads import Patience
from airflow_agari_provider.discrepancy.check_history import CheckHistory, digest_of
from airflow_agari_provider.discrepancy.history import LOG
from airflow_agari_provider.discrepancy.history_database import HistoryUnavailable
from airflow_agari_provider.discrepancy.stored_run import check_id
from tests.discrepancy.reports import report_of

LOSS = ({"1": 9, "2": 9}, {"1": 9, "2": 9}, {"1": 7, "2": 9})


def history_of(connect, **more):
    with closing(connect()) as connection:
        placeholder = "?" if isinstance(connection, sqlite3.Connection) else "%s"
    return CheckHistory(connect, placeholder, "d", more.pop("task", "t"), **more)


def exchange(history, hour, counts=LOSS):
    report = report_of(*counts, window=f"{hour:02}:00")
    past, problem = history.exchange(f"2016-02-03 {hour:02}:00:00", f"run {hour}", report)
    assert problem == ""
    return past, report


def test_a_run_is_stored_and_compared_with_those_before(connect):
    history = history_of(connect)
    first, report = exchange(history, 1)
    assert first.earlier(LOG) is None
    history.tell([first.run.run_at], "Slack", "alarm", "d1")
    again, _ = exchange(history, 1)
    assert again.earlier(LOG) is None
    assert again.was_told("Slack", "d1")
    second, report = exchange(history, 2)
    assert second.earlier("Slack").status(report.findings[0]) == "same as before"
    assert second.earlier("mail").status(report.findings[0]) == "new"
    assert second.open_windows == ["01:00", "02:00"]
    other, _ = exchange(history_of(connect, task="other"), 3)
    assert other.earlier(LOG) is None
    mended, _ = exchange(history, 1, ({}, {}, {}))
    assert mended.open_windows == ["02:00"]
    assert [run.window for run in mended.repaired("Slack")] == ["01:00"]
    third, report = exchange(history, 3, ({"1": 5}, {"1": 5}, {"1": 5}))
    assert [each.key for each in third.earlier(LOG).recovered([], report.has_messages)] == ["1"]
    fourth, report = exchange(history, 4)
    assert fourth.earlier(LOG).status(report.findings[0]) == "new"


def test_totals_worst_keys_and_hostile_texts_are_stored(connect):
    counts = {"żółw" * 200: 10**15, "'; DROP TABLE x; --": 1, "🐢%s?\0\udc80": 2}
    past, _ = exchange(history_of(connect), 1, (counts, counts, {}))
    past, report = exchange(history_of(connect), 2, (counts, counts, {}))
    assert {past.earlier(LOG).status(finding) for finding in report.findings} == {"same as before"}
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT stage, total FROM agari_check_stages WHERE run_at LIKE '%02:00:00' ORDER BY place")
        assert [tuple(row.values() if isinstance(row, dict) else row) for row in cursor.fetchall()] == [
            ("Collector", 10**15 + 3),
            ("Agg", 10**15 + 3),
            ("DB", 0),
        ]


@pytest.fixture
def file(tmp_path):
    """Opens connections to an SQLite file."""
    return lambda: sqlite3.connect(tmp_path / "history.db", timeout=10)


def rows(connect, sql):
    with closing(connect()) as connection:
        return connection.execute(sql).fetchall()


def test_only_a_number_of_runs_is_kept(file):
    history = history_of(file, kept_runs=3)
    for hour in range(5):
        past, _ = exchange(history, hour)
        history.tell([past.run.run_at], "mail", "report", "")
    exchange(history_of(file, task="other"), 0)
    check = check_id("d", "t")
    kept = [("2016-02-03 02:00:00",), ("2016-02-03 03:00:00",), ("2016-02-03 04:00:00",)]
    for table in ("agari_checks", "agari_check_stages", "agari_check_keys", "agari_check_tellings"):
        of_check = f"SELECT DISTINCT run_at FROM {table} WHERE check_id = '{check}' ORDER BY run_at"
        assert rows(file, of_check) == kept
    assert rows(file, "SELECT COUNT(*) FROM agari_checks") == [(4,)]


def test_a_table_of_an_older_version_gets_its_columns(file):
    exchange(history_of(file), 1)
    with closing(file()) as connection:
        connection.executescript(
            "ALTER TABLE agari_checks DROP COLUMN report_url; ALTER TABLE agari_check_keys DROP COLUMN counts"
        )
    past, report = exchange(history_of(file), 2)
    assert past.earlier(LOG).status(report.findings[0]) == "same as before"


def test_the_runs_of_the_first_version_are_known(file):
    with closing(file()) as connection:
        connection.executescript("""
            CREATE TABLE agari_discrepancies (dag_id, task_id, run_at, place, discrepant_key, comparison, difference);
            INSERT INTO agari_discrepancies VALUES ('d', 't', '2016-02-03 00:00:00', 0, NULL, NULL, NULL);
            INSERT INTO agari_discrepancies VALUES ('d', 't', '2016-02-03 00:00:00', 1, '1', 'Discrepancy', 2);
            INSERT INTO agari_discrepancies VALUES ('d', 'x', '2016-02-03 00:00:00', 1, '2', 'Discrepancy', 9);
        """)
    past, report = exchange(history_of(file), 1)
    assert past.earlier("Slack").status(report.findings[0]) == "same as before"
    assert past.open_windows == ["01:00"]


def test_checks_that_come_first_at_the_same_time_all_succeed(cleared_postgres_uri):
    import psycopg2

    def work(number):
        exchange(history_of(lambda: psycopg2.connect(cleared_postgres_uri), task=f"t{number}"), 1)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [None] * 6


def test_a_user_without_the_right_to_create_uses_tables_that_exist(cleared_postgres_uri):
    import psycopg2

    def connect():
        connection = psycopg2.connect(cleared_postgres_uri)
        connection.cursor().execute("SET ROLE history_user")
        connection.commit()
        return connection

    exchange(history_of(lambda: psycopg2.connect(cleared_postgres_uri)), 1)
    with closing(psycopg2.connect(cleared_postgres_uri)) as connection:
        connection.cursor().execute("""
            DROP ROLE IF EXISTS history_user; CREATE ROLE history_user; GRANT USAGE ON SCHEMA public TO history_user;
            GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA public TO history_user""")
        connection.commit()
    past, report = exchange(history_of(connect), 2)
    assert past.earlier(LOG).status(report.findings[0]) == "same as before"


def test_a_history_that_can_only_be_read_still_tells_what_is_new(file):
    exchange(history_of(file), 1)

    def read_only():
        connection = file()
        connection.execute("PRAGMA query_only = ON")
        return connection

    history = history_of(read_only)
    past, problem = history.exchange("2016-02-03 02:00:00", "run", report_of(*LOSS, window="02:00"))
    assert past.earlier(LOG) is not None
    assert past.open_windows == ["01:00", "02:00"]
    assert "The history cannot be used: OperationalError" in problem
    history.tell([past.run.run_at], "mail", "report", "")


def refuse():
    raise ConnectionRefusedError("nobody listens")


@pytest.mark.parametrize(
    ("connect", "says"),
    [(refuse, "ConnectionRefusedError: nobody listens"), (lambda: time.sleep(0.3), "did not answer within 0.1 s")],
    ids=["down", "hanging"],
)
def test_a_history_that_cannot_be_used_says_so_within_a_limited_time(connect, says):
    history = CheckHistory(connect, "?", "d", "t", patience=Patience(0.1, 60))
    with pytest.raises(HistoryUnavailable, match=says):
        history.exchange("2016-02-03 02:00:00", "run", report_of(*LOSS))
    history.tell(["2016-02-03 02:00:00"], "mail", "report", "")


def test_what_was_told_is_the_same_until_the_findings_or_the_generation_change():
    one = digest_of(report_of(*LOSS), 0)
    assert digest_of(report_of(*LOSS), 0) == one
    assert digest_of(report_of(*LOSS), 1) != one
    assert digest_of(report_of({"1": 9}, {"1": 9}, {"1": 6}), 0) != one


def test_what_the_runs_before_counted_is_read_back(connect):
    counts = ({"1": 9, "2": 8}, {"1": 9, "2": 8}, {"1": 7, "2": 8})
    history = history_of(connect)
    for day, window in ((3, "2016-02-03 01:00:00"), (4, "2016-02-02 01:00:00"), (5, "2016-02-03 01:00:00")):
        shares = {"trust": {"low'": day, "żółw": 2}}
        history.exchange(f"2016-02-0{day} 09:00:00", "run", report_of(*counts, window=window, shares=shares))
    first, second = history.past_runs(datetime(2016, 2, 3, 2, tzinfo=UTC), ["Discrepancy", "x"], True, True)
    assert [first.moment.day, second.moment.day] == [2, 3]
    assert (first.shares["trust"], second.shares["trust"]) == ({"low'": 4, "żółw": 2}, {"low'": 5, "żółw": 2})
    assert second.totals == {"Collector": 17, "Agg": 17, "DB": 15}
    assert second.keys == {"1": {"Collector": 9, "Agg": 9, "DB": 7}, "2": {"Collector": 8, "Agg": 8, "DB": 8}}
    assert (second.has_all_keys, second.unusual) == (True, {("1", "Discrepancy")})
    assert len(history.past_runs(datetime(2016, 2, 3, 1, tzinfo=UTC), [], False, False)) == 1
    other = history_of(connect, series="24 h")
    assert other.past_runs(datetime(2016, 2, 3, 2, tzinfo=UTC), [], False, False) == []


def test_the_shares_of_runs_that_are_not_kept_go_too(file):
    for hour in range(4):
        history = history_of(file, kept_runs=2)
        history.exchange(f"2016-02-03 0{hour}:00:00", "run", report_of(*LOSS, shares={"trust": {"a": 1}}))
    assert rows(file, "SELECT DISTINCT run_at FROM agari_check_shares") == [
        ("2016-02-03 02:00:00",),
        ("2016-02-03 03:00:00",),
    ]
