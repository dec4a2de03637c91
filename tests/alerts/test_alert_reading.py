"""The record of alerts, read from real databases."""

from __future__ import annotations

from contextlib import closing

import pytest

from airflow_agari_provider.alerts.alert_database import AlertDatabase, ClaimsUnavailable
from airflow_agari_provider.alerts.alert_reading import read_alerts
from airflow_agari_provider.alerts.claim_rows import CLAIMS, About
from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.recorded_miss import recorded_misses
from airflow_agari_provider.databases.dialects import dialect_of
from tests.alerts.alert_rows import DUE

DAY = 86400.0


def write(claims: ClaimTable, run_id: str, due: float, task: str = "load", name: str = "") -> str:
    """An alert that was sent; returns its key."""
    run = f"EP|scoring|{run_id}"
    key = name or f"{run}|{task}|1800|0|Slack"
    about = About(run=run, task=task, destination="Slack", incident="one", due_at=due)
    claims.claim(key, due + 1, about)
    claims.mark_sent(key, "C1:17.1")
    return key


def read(connect, since=DUE - DAY, until=DUE + DAY, open_since=DUE - 90 * DAY, most=100):
    return read_alerts(AlertDatabase(connect), since, until, open_since, most)


def test_a_database_without_the_table_gets_none(connect):
    assert read(connect) is None
    with closing(connect()) as connection:
        assert not dialect_of(connection).table_exists(connection, CLAIMS.name)


def test_the_window_and_what_is_open_before_it_are_read_and_nothing_else(connect):
    claims = ClaimTable(connect)
    write(claims, "in the window", DUE)
    write(claims, "open for a month", DUE - 30 * DAY)
    write(claims, "open for a year", DUE - 365 * DAY)
    write(claims, "closed a month ago", DUE - 30 * DAY)
    claims.mark_recovered("EP|scoring|closed a month ago", "load", DUE - 29 * DAY)
    write(claims, "open after it", DUE + 2 * DAY)
    rows, complete = read(connect)
    assert complete
    assert [miss.run_id for miss in recorded_misses(rows)] == ["open after it", "in the window", "open for a month"]


def test_recoveries_are_read_with_their_misses(connect):
    claims = ClaimTable(connect)
    key = write(claims, "r1", DUE)
    claims.claim(f"recovery|{key}", DUE + 60)
    claims.mark_refused(f"recovery|{key}")
    claims.mark_recovered("EP|scoring|r1", "load", DUE + 60)
    rows, _ = read(connect)
    (miss,) = recorded_misses(rows)
    assert (miss.came_in_late, [(told["state"], told["recovery"]) for told in miss.told]) == (60, [("sent", "refused")])


def test_the_newest_are_read_where_there_are_too_many(connect):
    claims = ClaimTable(connect)
    for number in range(3):
        write(claims, f"r{number}", DUE + number)
    rows, complete = read(connect, most=2)
    assert ([row.first_at for row in rows], complete) == ([DUE + 3, DUE + 2], False)


def test_a_table_of_an_older_version_is_read_and_left_as_it_is(connect):
    old = (
        ["id", "alert", "owner", "state", "reference", "run", "task", "destination", "incident", "payload"],
        ["claimed_at", "first_at", "due_at", "recovered_at"],
    )
    columns = ", ".join(
        [*(f"{name} VARCHAR(300)" for name in old[0]), *(f"{name} DOUBLE PRECISION" for name in old[1])]
    )
    with closing(connect()) as connection:
        dialect = dialect_of(connection)
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"CREATE TABLE {CLAIMS.name} ({columns})")
            cursor.execute(
                f"INSERT INTO {CLAIMS.name} (id, alert, state, claimed_at, first_at, run, task, destination, due_at) "
                f"VALUES ('1', 'EP|scoring|r1|load', 'sent', {DUE}, {DUE}, 'EP|scoring|r1', 'load', 'Slack', {DUE})"
            )
        connection.commit()
    (miss,) = recorded_misses(read(connect)[0])
    assert (miss.environment, miss.dag_id, miss.run_id, miss.is_open) == ("EP", "scoring", "r1", True)
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT * FROM {CLAIMS.name} WHERE 1 = 0")
        assert len(cursor.description) == len(old[0]) + len(old[1])
        assert dialect.table_exists(connection, CLAIMS.name)


def test_a_database_that_is_away_is_an_error_of_ours():
    def connect():
        raise OSError("no route to host")

    with pytest.raises(ClaimsUnavailable, match="no route to host"):
        read(connect)
