"""What a finding says."""

from __future__ import annotations

import pytest

from airflow_agari_provider.discrepancy.comparisons import STRICT, Comparison, Tolerance
from airflow_agari_provider.discrepancy.finding import (
    finding_of_key,
    finding_together,
    finding_without_difference,
    skip_text,
)
from tests.discrepancy.reports import table_of

WHOLE = Comparison("whole", "Collector", "DB")


def found(collector, agg, db, difference, key="5", tolerance=STRICT, **more):
    return finding_of_key(table_of({key: collector}, {key: agg}, {key: db}), key, WHOLE, difference, tolerance, **more)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((100, 90, 90), "5: lost 10 between Collector and DB (10.0 %), first 10 between Collector and Agg"),
        ((100, 100, 90), "5: lost 10 between Collector and DB (10.0 %), first 10 between Agg and DB"),
        ((100, 120, 110), "5: gained 10 between Collector and DB (10.0 %), first 20 between Collector and Agg"),
        ((0, 0, 7), "5: gained 7 between Collector and DB (new), first 7 between Agg and DB"),
    ],
    ids=["first step", "second step", "up and down", "new"],
)
def test_it_names_the_first_stage_between_which_the_count_changed(counts, says):
    finding = found(*counts, counts[0] - counts[2])
    assert finding.what.startswith(says)
    assert finding.allowed == "allowed 0 and 0.0 %"


def test_a_limit_of_its_own_is_told_instead_of_the_tolerance():
    assert found(9, 9, 1, 8, tolerance=Tolerance(count=1), limit="at most 50 %").allowed == "at most 50 %"


def test_a_hostile_key_is_cut():
    assert len(str(found(9, 9, 1, 8, key="k" * 20_000))) < 1000


def test_keys_together_have_no_name():
    finding = finding_together(WHOLE, 1000, 1000, 2000, "allowed 1 %")
    assert str(finding) == "1,000 keys together: lost 1,000 between Collector and DB (50.0 %); allowed 1 %"


def test_of_nothing_and_of_silence_nothing_is_allowed():
    table = table_of({}, {}, {})
    assert str(finding_without_difference(table, "empty")) == (
        "Nothing was counted: all stages from Collector to DB are empty"
    )
    assert str(finding_without_difference(table, "silent", "7")) == "7: expected, but silent in every stage"


def test_the_same_finding_of_another_run_has_the_same_identity():
    first, more, other_way = found(10, 10, 5, 5), found(30, 30, 1, 29), found(5, 5, 10, -5)
    assert first.identity == more.identity != other_way.identity


def test_the_most_frequent_reasons_are_told():
    assert skip_text({"no score": 1200, "too large": 3}) == "1,203 skipped (no score 1,200, too large 3)"
    assert skip_text({}) == "0 skipped"
    assert skip_text({f"reason {number}": 1 for number in range(20)}).endswith("reason 9 1, ...)")
