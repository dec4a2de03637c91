"""What was stored is read back as a record: from every database, from tables of older versions, and without rights."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from airflow_agari_provider.discrepancy.history_database import HistoryDatabase, HistoryUnavailable
from airflow_agari_provider.discrepancy.history_reading import counts_of, read_checks, read_runs
from airflow_agari_provider.discrepancy.stored_run import Difference
from tests.discrepancy.reports import report_of
from tests.discrepancy.test_check_history import LOSS, exchange, history_of

EVER = (0.0, 1e12)
FINE = ({"1": 9, "2": 9}, {"1": 9, "2": 9}, {"1": 9, "2": 9})


def database(connect):
    with closing(connect()) as connection:
        return HistoryDatabase(connect, "?" if isinstance(connection, sqlite3.Connection) else "%s")


def test_the_runs_of_a_check_are_read_with_totals_keys_stages_and_tellings(connect):
    assert read_checks(database(connect), *EVER) is None
    assert read_runs(database(connect), "d", "t") is None
    history = history_of(connect)
    exchange(history, 2, FINE)
    past, _ = exchange(history, 1)
    history.tell([past.run.run_at], "Slack", "alarm", "d1")
    exchange(history_of(connect, task="other"), 3)
    found = read_runs(database(connect), "d", "t")
    assert found.complete
    assert [(run.window, run.verdict, run.keys, run.discrepant) for run in found.runs] == [
        ("01:00", "high discrepancies", 2, 1),
        ("02:00", "ok", 2, 0),
    ]
    bad = found.runs[0]
    assert bad.totals == {"Collector": 18, "Agg": 18, "DB": 16}
    assert bad.tellings["Slack"].kind == "alarm"
    loss, *fine = bad.differences
    assert loss[:5] == ("1", "Discrepancy", 2, 9, "alarm")
    assert (loss.good_stage, loss.bad_stage) == ("Agg", "DB")
    assert counts_of(loss) == {"Collector": 9, "Agg": 9, "DB": 7}
    assert {each.severity for each in fine} == {"none"}
    checks, complete = read_checks(database(connect), *EVER)
    assert complete
    assert [(each.task, each.run.window) for each in checks] == [("other", "03:00"), ("t", "02:00"), ("t", "01:00")]
    assert read_checks(database(connect), *EVER, most=2)[1] is False
    assert read_checks(database(connect), 0, 1) == ([], True)
    assert read_runs(database(connect), "d", "nobody").runs == []


def test_what_was_usual_and_what_a_person_accepts_are_read_back(connect):
    report = replace(report_of(*LOSS, window="01:00"), usual={"Collector": (10, 2**70)})
    history_of(connect).exchange("2016-02-03 01:00:00", "run 1", report)
    (first,) = read_runs(database(connect), "d", "t").runs
    assert (first.usual, first.accepted) == ({"Collector": (10, 2**63 - 1)}, False)
    for accepted, expected in ((("01:00", "02:00"), [True, True]), (("02:00",), [False, True]), ((), [False, False])):
        exchange(history_of(connect, accepted=accepted), 2)
        assert [run.accepted for run in read_runs(database(connect), "d", "t").runs] == expected
        checks, _ = read_checks(database(connect), *EVER)
        assert [each.run.accepted for each in checks] == expected[::-1]


@pytest.fixture
def file(tmp_path):
    return lambda: sqlite3.connect(tmp_path / "history.db", timeout=10)


def test_only_the_newest_runs_and_the_worst_keys_of_each_are_read(file):
    counts = {str(number): 9 for number in range(130)}
    for hour in range(4):
        exchange(history_of(file), hour, (counts, counts, {}))
    found = read_runs(database(file), "d", "t", most=3)
    assert [run.window for run in found.runs] == ["01:00", "02:00", "03:00"]
    assert not found.complete
    assert [len(run.differences) for run in found.runs] == [100] * 3


def test_tables_of_an_older_version_are_read_by_a_user_who_may_only_read(file, tmp_path):
    exchange(history_of(file), 1)
    with closing(file()) as connection:
        connection.executescript(
            "ALTER TABLE agari_checks DROP COLUMN report_url; ALTER TABLE agari_check_keys DROP COLUMN counts;"
            "ALTER TABLE agari_check_keys DROP COLUMN good_stage; ALTER TABLE agari_check_keys DROP COLUMN bad_stage;"
            "DROP TABLE agari_check_tellings"
        )
    before = (tmp_path / "history.db").read_bytes()
    readonly = HistoryDatabase(lambda: sqlite3.connect(f"file:{tmp_path}/history.db?mode=ro", uri=True), "?")
    (run,) = read_runs(readonly, "d", "t").runs
    assert (run.report_url, run.tellings, run.differences[0].bad_stage) == ("", {}, "")
    assert counts_of(run.differences[0]) is None
    assert (tmp_path / "history.db").read_bytes() == before


def test_a_database_that_cannot_be_opened_is_one_kind_of_error(tmp_path):
    away = HistoryDatabase(lambda: sqlite3.connect(tmp_path / "no" / "such.db"), "?")
    with pytest.raises(HistoryUnavailable, match="unable to open"):
        read_checks(away, *EVER)


@pytest.mark.parametrize("text", ["", "{", '{"DB": 1', "[1]", '"x"', "12", "null"])
def test_counts_that_were_cut_are_not_known(text):
    assert counts_of(Difference("k", "", 0, 0, "none", text)) is None


def test_hostile_keys_come_back_as_texts(connect):
    counts = {"<b>": 1, "a\u202eb": 1, "x\0y": 1, "k" * 20_000: 1, "'; DROP TABLE x; --": 1}
    _, problem = history_of(connect).exchange("2016-02-03 01:00:00", "r", report_of(counts, counts, {}))
    assert problem == ""
    keys = {each.key for each in read_runs(database(connect), "d", "t").runs[0].differences}
    assert {"<b>", "a\u202eb", "x\\x00y", "'; DROP TABLE x; --"} < keys
    assert max(map(len, keys)) == 250
