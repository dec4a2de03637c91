"""The record of alerts, read from real databases."""

from __future__ import annotations

from contextlib import closing

import pytest

from airflow_agari_provider.alerts.alert_database import AlertDatabase, ClaimsUnavailable
from airflow_agari_provider.alerts.alert_reading import Listing, Window, read_alerts, read_closed
from airflow_agari_provider.alerts.claim_rows import CLAIMS, About
from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.miss_figures import alerts_by_state, gathered, sla_figures
from airflow_agari_provider.alerts.recorded_miss import recorded_misses
from airflow_agari_provider.databases.dialects import dialect_of
from tests.alerts.alert_rows import DUE, alert_row, write_rows

DAY = 86400.0


def write(claims: ClaimTable, run_id: str, due: float, task: str = "load", name: str = "") -> str:
    """An alert that was sent; returns its key."""
    run = f"EP|scoring|{run_id}"
    key = name or f"{run}|{task}|1800|0|Slack"
    about = About(run=run, task=task, destination="Slack", incident="one", due_at=due)
    claims.claim(key, due + 1, about)
    claims.mark_sent(key, "C1:17.1")
    return key


WINDOW = Window(DUE - DAY, DUE + DAY, DUE - 90 * DAY)


def read(connect, window=WINDOW, most=100):
    return read_alerts(AlertDatabase(connect), window, most)


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
    found = read(connect)
    assert found.complete
    assert [miss.run_id for miss in found.open] == ["open after it", "in the window", "open for a month"]
    assert (found.closed, found.newest) == ([], Listing([], True))


def test_recoveries_are_read_with_their_misses(connect):
    claims = ClaimTable(connect)
    key = write(claims, "r1", DUE)
    claims.claim(f"recovery|{key}", DUE + 60)
    claims.mark_refused(f"recovery|{key}")
    claims.mark_recovered("EP|scoring|r1", "load", DUE + 60)
    (miss,) = read(connect).newest.misses
    assert (miss.came_in_late, [(told["state"], told["recovery"]) for told in miss.told]) == (60, [("sent", "refused")])


def test_the_newest_are_read_where_there_are_too_many(connect):
    claims = ClaimTable(connect)
    for number in range(3):
        write(claims, f"r{number}", DUE + number)
        claims.mark_recovered(f"EP|scoring|r{number}", "load", DUE + 60)
    assert read(connect, most=3).complete
    found = read(connect, most=2)
    assert ([len(some.due) for some in found.closed], found.complete) == ([2], False)


IN, OUT = {"recovered_at": DUE + 60}, {"closed_at": DUE + 90, "closed_as": "given up"}
OLD = {"environment": None, "dag_id": None, "run_id": None, "task_owner": None, "service": None, "sla": None}
REFUSED = alert_row("r1", **IN)
ROWS = [
    REFUSED,
    alert_row("r1", **IN, state="silenced", destination="VictorOps pager data"),
    alert_row(f"recovery of {REFUSED.alert}", alert=f"recovery|{REFUSED.alert}", run="", due_at=None, state="refused"),
    alert_row("r2", **IN, task_owner="ada", due_at=DUE + 30.25),
    alert_row("r3", **OUT),
    alert_row("r4", **IN, state="doubtful"),
    alert_row("r4", destination="VictorOps pager data"),  # open, but came in by the other row
    alert_row("r5", **IN, task=""),
    alert_row("r6", **IN, sla="06:00:00 Europe/Berlin"),
    alert_row("r7", **IN, dag_id="Scoring", run="EP|Scoring|r7"),
    alert_row("R1", **IN, run="EP|scoring|R1"),
    alert_row("r8", **IN)._replace(**OLD),
    alert_row("r9", **IN, due_at=DUE - 2 * DAY),  # before the window
    alert_row("r10", run="", due_at=None, state="first"),  # of a digest
    alert_row("r11", state="refused"),  # open
    alert_row("r12", recovered_at=DUE - 60),
]


def told(misses):
    return {miss.run_id: sorted(miss.told, key=lambda one: one["destination"]) for miss in misses}


def test_the_database_gathers_what_the_rows_tell(connect):
    write_rows(connect, ROWS)
    misses = [miss for miss in recorded_misses(ROWS) if DUE - DAY <= miss.due_at < DUE + DAY]
    closed = [miss for miss in misses if not miss.is_open]
    found = read(connect)
    runs = {"scoring": 20, "Scoring": 10}
    assert sla_figures(found.closed, runs) == sla_figures(gathered(closed), runs)
    assert sorted(due for some in found.closed for due in some.due) == sorted(miss.due_at for miss in closed)
    states = {state: sum(some.states.get(state, 0) for some in found.closed) for state in ("doubtful", "refused")}
    assert states == {"doubtful": 1, "refused": 1}
    assert alerts_by_state(closed) == {"doubtful": 1, "refused": 1, "silenced": 1}
    assert [miss.run_id for miss in found.open] == ["r11"]
    assert told(found.newest.misses) == told(closed)


def test_a_list_holds_as_many_of_some_dags_as_are_asked_for(connect, monkeypatch):
    monkeypatch.setattr("airflow_agari_provider.alerts.alert_reading.FIRST_ROWS", 4)
    other = [alert_row(f"o{at}", **IN, dag_id="other", due_at=DUE + 100 + at) for at in range(9)]
    places = ("Slack slack_default #late", "VictorOps pager data")
    mine = [alert_row(f"r{at}", **IN, due_at=DUE + at, destination=place) for at in range(5) for place in places]
    write_rows(connect, [*other, *mine])
    newest = read(connect).newest
    assert ([miss.run_id for miss in newest.misses], newest.complete) == (["o8", "o7", "o6"], False)
    found = read_closed(AlertDatabase(connect), WINDOW, ["scoring"], 2)
    assert [(miss.run_id, len(miss.told)) for miss in found.of(["scoring"])[:2]] == [("r4", 2), ("r3", 2)]
    assert len(read_closed(AlertDatabase(connect), WINDOW, [], 14).misses) == 14


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
    (miss,) = read(connect).open
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
