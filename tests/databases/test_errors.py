"""The texts of refused rows and tables, and that they survive the way between processes."""

from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.databases.errors import (
    ColumnsRefused,
    MissingColumns,
    MissingTable,
    NoUniqueKey,
    OtherUniqueKey,
    SameColumn,
    UnstorableValue,
)

WIDE = [f"column_{number}" for number in range(5000)]
ERRORS = [
    (MissingColumns("t", ["b"], ["a"], ['"b" TEXT']), "Table t has no column 'b'; it has 'a'. Nothing was loaded."),
    (SameColumn(["Ä", "ä"]), "Fields go to 'Ä' and 'ä', which are one column to this database"),
    (ColumnsRefused("t", ["oid"], "  reserved\n"), "for the fields 'oid' in table t: reserved. Nothing was loaded."),
    (MissingTable("scores.t"), "Table scores.t does not exist. Create it, or pass create_table=True."),
    (UnstorableValue("b", "a zero byte", 7), "Column 'b': a zero byte. Nothing was loaded;"),
    (NoUniqueKey("t", ("id", "at")), "has no primary or unique key of exactly id, at, so"),
    (OtherUniqueKey("t", ("id",), ["mails"]), "has other unique keys than id: mails. MySQL would overwrite"),
]


@pytest.mark.parametrize(("error", "says"), ERRORS, ids=[type(error).__name__ for error, _ in ERRORS])
def test_an_error_says_what_and_where_and_survives_the_way_between_processes(error, says):
    assert says in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))


@pytest.mark.parametrize(
    ("error", "longest"),
    [
        (MissingColumns("t", WIDE, WIDE, WIDE), 3000),
        (ColumnsRefused("t", WIDE, "too many"), 600),
        (OtherUniqueKey("t", ("id",), WIDE), 700),
    ],
    ids=lambda value: type(value).__name__,
)
def test_of_thousands_of_columns_the_text_names_the_first_and_the_error_has_all(error, longest):
    assert len(str(error)) < longest
    assert "column_0" in str(error)
    assert "… (cut)" in str(error)
    assert WIDE in vars(error).values()


def test_a_line_break_in_a_name_makes_no_line():
    assert "'a\\nb'" in str(MissingColumns("t", ["a\nb"], [], []))
    assert "'a\\nb'" in str(SameColumn(["a\nb", "A\nB"]))
    assert "'a\\nb'" in str(UnstorableValue("a\nb", "x"))


def test_a_table_without_columns_and_a_row_that_is_not_known_are_no_fault():
    assert "it has . " in str(MissingColumns("t", ["b"], [], ["b INT"]))
    assert UnstorableValue("b", "x").row is None
