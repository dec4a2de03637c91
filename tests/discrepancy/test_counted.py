"""How the counts of one stage are added up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_agari_provider.discrepancy import counted
from airflow_agari_provider.discrepancy.counted import LARGEST, Counted, UnusableCounts, settle_nulls_and_booleans
from airflow_agari_provider.discrepancy.keys import NULL


def of_rows(rows, **more):
    stage = Counted("DB", **more)
    stage.add_rows(rows)
    return stage


ROWS = [
    [(1, 2), (2, 3)],
    [("a ", 2), ("b", 3)],
    [(None, 2), ("b", Decimal(3))],
    [(1, 2), (1, 3)],
    [(b"a", 2), (Decimal("1.0"), 3)],
    [[1, 2], [2, 3]],
]


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_the_quick_way_gives_what_the_slow_one_gives(rows, monkeypatch):
    quick = of_rows(rows)
    monkeypatch.setattr(Counted, "_add_plain", lambda *_: False)
    slow = of_rows(rows)
    assert (quick.counts, quick.repeated) == (slow.counts, slow.repeated)
    assert sum(quick.counts.values()) == 5


def test_equal_keys_are_added_and_noted_across_batches(monkeypatch):
    monkeypatch.setattr(counted, "ROWS_AT_ONCE", 2)
    stage = of_rows([(1, 1), (2, 1), (3, 1), (1, 5)])
    assert (stage.counts["1"], stage.repeated, stage.an_example) == (6, 1, "1")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((1,), r"a row has 1 columns, not 2 \(key, count\)"),
        ((1, 2, 3), r'a row has 3 columns.*key=\["auto", "auto"\]'),
        ((1, None), "the count of key '1' is None"),
        ((1, -1), "is -1, not a whole number of 0 or more"),
        ((1, 1.5), "is 1.5, not"),
        ((1, True), "is True, not"),
        ((1, "2"), "is '2', not"),
        ((1, float("inf")), "is inf, not"),
        ((1, LARGEST + 1), "not a whole number"),
        ((1, 10**5000), "is a number of thousands of digits, not"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else f"{len(value)} columns",
)
def test_a_row_that_is_no_count_names_stage_and_key(row, says):
    with pytest.raises(UnusableCounts, match=f"Stage 'DB' gave no usable counts: .*{says}"):
        of_rows([(5, 1), row])


def test_a_key_of_several_columns_and_its_distinct_messages():
    stage = of_rows([("a", 1, 10, 8), ("a", 2, 5, 5), ("a", 1, 2, 1)], key=["auto", "auto"], with_distinct=True)
    assert sorted(stage.counts.values()) == [5, 12]
    assert sorted(stage.distinct.values()) == [5, 9]
    with pytest.raises(UnusableCounts, match="more distinct messages than messages"):
        of_rows([(1, 2, 3)], with_distinct=True)


def test_mappings_inside_of_mappings_are_keys_of_several_columns():
    stage = Counted("DB", key=["auto", "auto"])
    stage.add_mapping({"a": {1: 2, 2: 3}, "b": {1: 4}})
    assert sorted(stage.counts.values()) == [2, 3, 4]


def test_json_s_null_is_null_only_if_another_stage_has_null():
    json, sql, text = Counted("S3", is_json=True), Counted("DB"), Counted("text")
    for stage, key in ((json, "null"), (sql, None), (text, "null")):
        stage.add_mapping({key: 1})
    settle_nulls_and_booleans([json, text])
    assert json.counts == {"null": 1}
    settle_nulls_and_booleans([json, sql, text])
    assert (json.counts, text.counts) == ({NULL: 1}, {"null": 1})


def test_0_and_1_are_booleans_only_beside_booleans():
    numbers, booleans = Counted("SQLite"), Counted("PostgreSQL")
    numbers.add_rows([(0, 1), (1, 2)])
    booleans.add_rows([(False, 1), (True, 2)])
    settle_nulls_and_booleans([numbers])
    assert numbers.counts == {"0": 1, "1": 2}
    settle_nulls_and_booleans([numbers, booleans])
    assert numbers.counts == booleans.counts
