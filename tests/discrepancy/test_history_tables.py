"""The rows of the history on one connection; ``test_check_history.py`` has what a check makes of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from airflow_agari_provider.databases.sqlite import SqliteDialect
from airflow_agari_provider.discrepancy.history_tables import LARGEST, HistoryRows
from airflow_agari_provider.discrepancy.stored_run import EVERY_CHANNEL, Difference, StoredRun, Telling

CHECK = "c" * 64
LOSS = Difference("5", "Discrepancy", 2, 9, "alarm", '{"DB": 7}', "Agg", "DB")
RUN = StoredRun("2016-02-03 01:00:00", "run", "01:00", "ok", 5.0, 2, 1, 1, "s3://x", {"Agg": 9, "DB": 7}, (LOSS,))


@pytest.fixture
def connection():
    with closing(sqlite3.connect(":memory:")) as connection:
        SqliteDialect().prepare(connection)
        yield connection


@pytest.fixture
def rows(connection):
    rows = HistoryRows(SqliteDialect(), connection)
    rows.create(with_shares=True)
    return rows


def write(rows, *runs, kept=9, check=CHECK):
    for run in runs:
        rows.write(check, "d", "t", run, kept)


def of_hour(hour, **changed):
    return replace(RUN, run_at=f"2016-02-03 {hour:02}:00:00", **changed)


def tables(connection):
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_tables_are_made_once_and_that_of_distributions_only_when_it_is_needed(connection):
    rows = HistoryRows(SqliteDialect(), connection)
    for _ in range(2):
        rows.create()
    assert tables(connection) == {"agari_checks", "agari_check_stages", "agari_check_keys", "agari_check_tellings"}
    write(rows, replace(RUN, shares={}))
    rows.create(with_shares=True)
    assert "agari_check_shares" in tables(connection)


def test_a_column_is_added_to_a_table_in_upper_case(connection):
    connection.execute("CREATE TABLE AGARI_CHECKS (CHECK_ID TEXT, RUN_AT TEXT)")
    rows = HistoryRows(SqliteDialect(), connection)
    rows.create()
    write(rows, RUN)
    assert [run.window for run in rows.runs(CHECK)] == ["01:00"]


def test_a_run_comes_back_as_it_was_stored(rows):
    write(rows, RUN)
    (found,) = rows.runs(CHECK)
    assert found == replace(RUN, totals={}, differences=())
    assert rows.select("SELECT stage, total FROM agari_check_stages ORDER BY place") == [("Agg", 9), ("DB", 7)]
    assert rows.differences(CHECK, RUN.run_at, RUN.run_at) == {RUN.run_at: [LOSS._replace(good_stage="", bad_stage="")]}


def test_the_same_run_replaces_itself_and_keeps_what_was_told(rows):
    write(rows, replace(RUN, shares={"age": {"young": 3, "old": 4}}))
    rows.tell(CHECK, [RUN.run_at], "Slack", Telling("alarm", "d", 6.0))
    write(rows, replace(RUN, verdict="warning", differences=(), totals={}, shares={}))
    (found,) = rows.runs(CHECK)
    assert (found.verdict, found.tellings) == ("warning", {"Slack": Telling("alarm", "d", 6.0)})
    for table in ("agari_check_stages", "agari_check_keys", "agari_check_shares"):
        assert rows.select(f"SELECT COUNT(*) FROM {table}") == [(0,)]


def test_a_channel_knows_only_the_last_that_it_was_told(rows):
    write(rows, RUN, of_hour(2))
    rows.tell(CHECK, [RUN.run_at, "2016-02-03 02:00:00"], "Slack", Telling("alarm", "d", 6.0))
    rows.tell(CHECK, [RUN.run_at], "Slack", Telling("recovery", "", 7.0))
    rows.tell(CHECK, [], "mail", Telling("report", "", 8.0))
    assert [run.tellings for run in rows.runs(CHECK)] == [
        {"Slack": Telling("alarm", "d", 6.0)},
        {"Slack": Telling("recovery", "", 7.0)},
    ]


@pytest.mark.parametrize("kept", [1, 2, 3, 4])
def test_the_newest_runs_are_kept_in_whatever_order_they_were_stored(rows, kept):
    write(rows, of_hour(3), of_hour(1), of_hour(2), kept=kept)
    assert [run.run_at[11:13] for run in rows.runs(CHECK)] == ["03", "02", "01"][:kept]
    assert len(rows.differences(CHECK, "2016", "2017")) == min(kept, 3)


def test_another_check_is_left_alone(rows):
    write(rows, RUN, check="other")
    write(rows, of_hour(2), of_hour(3), kept=1)
    assert [run.run_at for run in rows.runs("other")] == [RUN.run_at]
    assert rows.runs("nobody") == []
    assert rows.differences("nobody", "0", "9") == {}


def test_differences_are_of_the_dates_with_both_ends(rows):
    write(rows, *(of_hour(hour) for hour in (1, 2, 3, 4)))
    found = rows.differences(CHECK, "2016-02-03 02:00:00", "2016-02-03 03:00:00")
    assert sorted(found) == ["2016-02-03 02:00:00", "2016-02-03 03:00:00"]


@pytest.mark.parametrize(("number", "stored"), [(10**30, LARGEST), (-(10**30), -LARGEST), (0, 0), (-5, -5)])
def test_a_number_that_no_column_holds_is_the_largest(rows, number, stored):
    difference = LOSS._replace(difference=number, percent_of=number)
    write(rows, replace(RUN, totals={"DB": number}, differences=[difference], shares={"a": {"b": number}}))
    assert rows.select("SELECT total FROM agari_check_stages") == [(stored,)]
    assert rows.select("SELECT difference, percent_of FROM agari_check_keys") == [(stored, stored)]
    assert rows.select("SELECT messages FROM agari_check_shares") == [(stored,)]


@pytest.mark.parametrize("text", ["'; DROP TABLE agari_checks; --", "%s ? :x", "żółw\n🐢", "a\0b\udc80", "x" * 9999])
def test_hostile_texts_are_values_and_have_a_limit(rows, text):
    write(rows, replace(RUN, window=text, series=text, totals={text: 1}, shares={text: {text: 2}}))
    (found,) = rows.runs(CHECK)
    assert len(found.window) <= 250
    assert found.window == found.series == rows.select("SELECT stage FROM agari_check_stages")[0][0]
    assert rows.select("SELECT distribution, bucket FROM agari_check_shares") == [(found.window, found.window)]


def test_a_run_that_cannot_be_stored_leaves_the_one_before(rows):
    write(rows, RUN)
    with pytest.raises(sqlite3.Error):
        write(rows, replace(RUN, verdict="new", differences=[LOSS._replace(counts=object())]))
    assert [run.verdict for run in rows.runs(CHECK)] == ["ok"]
    assert rows.differences(CHECK, RUN.run_at, RUN.run_at) != {}


def test_runs_of_the_first_version_are_taken_over_as_told(rows, connection):
    assert rows.take_over("d", "t") == []
    connection.executescript("""
        CREATE TABLE agari_discrepancies (dag_id, task_id, run_at, place, discrepant_key, comparison, difference);
        INSERT INTO agari_discrepancies VALUES
            ('d', 't', '2016-02-03', 0, NULL, NULL, NULL), ('d', 't', '2016-02-03', 2, NULL, 'Total', 3),
            ('d', 't', '2016-02-03', 1, '5', 'Discrepancy', -2), ('d', 't', '2016-02-04', 0, NULL, NULL, NULL),
            ('d', 'other', '2016-02-05', 1, '5', 'Discrepancy', 1);
    """)
    newest, older = rows.take_over("d", "t")
    assert (newest.run_at, newest.differences) == ("2016-02-04", [])
    assert [each[:5] for each in older.differences] == [
        ("5", "Discrepancy", -2, 0, "alarm"),
        ("", "Total", 3, 0, "alarm"),
    ]
    assert older.tellings[EVERY_CHANNEL].kind == "alarm"
