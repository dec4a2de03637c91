"""Stages are read at the same time, each for a limited time, and errors name the stage."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.discrepancy.counted import Counted, UnusableCounts
from airflow_agari_provider.discrepancy.keys import NULL
from airflow_agari_provider.discrepancy.reading import (
    Source,
    StageNotRead,
    WindowStillOpen,
    add_cursor,
    read_all,
    remarks_on,
    require_closed,
)


def source(read, stage="DB", seconds=5.0):
    return Source(Counted(stage), read, "connection scoring_db", seconds)


def test_stages_are_read_at_the_same_time_and_come_in_their_order():
    both = threading.Barrier(2, timeout=5)

    def read(counted):
        both.wait()
        counted.add_mapping({counted.stage: 1})

    found = read_all([source(read, "Agg"), source(read, "DB")])
    assert [stage.counts for stage in found] == [{"Agg": 1}, {"DB": 1}]


def fail(counted):
    raise sqlite3.OperationalError("no such table: scored")


def hang(counted):
    time.sleep(0.3)


def misread(counted):
    counted.add_mapping({"5": -1})


@pytest.mark.parametrize(
    ("reads", "error", "says"),
    [
        (
            [fail],
            StageNotRead,
            "'DB' could not be read from connection scoring_db: OperationalError: no such table",
        ),
        (
            [hang],
            StageNotRead,
            "'DB' could not be read from connection scoring_db: it did not answer within 0.1 s",
        ),
        ([hang, misread], UnusableCounts, "Stage 'DB' gave no usable counts: the count of key '5' is -1"),
    ],
    ids=["error", "hangs", "what no retry cures comes first"],
)
def test_an_error_names_the_stage_and_what_it_is_read_from(reads, error, says):
    with pytest.raises(error, match=says):
        read_all([source(read, seconds=0.1) for read in reads])


def test_a_statement_without_rows_is_no_query():
    with closing(sqlite3.connect(":memory:")) as connection:
        cursor = connection.execute("CREATE TABLE t (k, n)")
        with pytest.raises(UnusableCounts, match="its statement returns no rows: it is no query"):
            add_cursor(Counted("DB"), cursor)
        counted = Counted("DB")
        add_cursor(counted, connection.execute("SELECT NULL, 2 UNION ALL SELECT 5, 3"))
    assert counted.counts == {NULL: 2, "5": 3}


def test_a_window_is_closed_from_its_end_on():
    end = datetime(2016, 2, 3, 1, tzinfo=UTC)
    require_closed(None, end)
    require_closed(end, end)
    with pytest.raises(WindowStillOpen, match="The window is open until 2016-02-03 01:00:00 UTC"):
        require_closed(end, datetime(2016, 2, 3, 0, 59, tzinfo=UTC))


def counted(stage, *rows):
    found = Counted(stage)
    found.add_rows(rows)
    return found


def test_what_is_odd_about_the_counts_is_said():
    stages = {"Agg": counted("Agg", ("a", 1)), "DB": counted("DB", ("A", 1), ("A", 2), ("B", 2))}
    assert remarks_on(stages, [("Agg", "DB"), ("Agg", "DB")]) == [
        "DB gave 1 key(s) more than once, such as A; the counts were added up. Is its query grouped by the key alone?",
        "Agg and DB share no key (Agg: 'a'; DB: 'A'). Are keys written differently? See key.",
    ]


def test_stages_that_share_a_key_or_are_empty_get_no_remark():
    stages = {"Agg": counted("Agg", ("a", 1)), "DB": counted("DB", ("a", 1)), "NRT": counted("NRT")}
    assert remarks_on(stages, [("Agg", "DB"), ("DB", "NRT")]) == []


class Rows:
    """A cursor that may hang after its first rows."""

    description = ("key", "count")

    def __init__(self, hangs=False):
        self.batches, self.hangs = iter([[("5", 1)], []]), hangs
        self.is_hanging, self.goes_on = threading.Event(), threading.Event()

    def fetchmany(self, size):
        rows = next(self.batches)
        if not rows and self.hangs:
            self.is_hanging.set()
            self.goes_on.wait(5)
        return rows


def test_a_stage_that_hangs_among_its_rows_holds_up_no_other():
    hung = Rows(hangs=True)
    other = threading.Thread(target=add_cursor, args=(Counted("Agg"), hung))
    other.start()
    assert hung.is_hanging.wait(5)
    counted = Counted("DB")
    add_cursor(counted, Rows(), turn=0.01)
    assert other.is_alive()
    hung.goes_on.set()
    other.join()
    assert counted.counts == {"5": 1}
