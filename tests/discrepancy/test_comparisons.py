from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_agari_provider.discrepancy.comparisons import (
    PUBLISHED,
    Comparison,
    Tolerance,
    check_names,
    check_skips,
    default_comparisons,
)


@pytest.mark.parametrize(
    ("tolerance", "difference", "base", "volume", "allowed"),
    [
        pytest.param(Tolerance(), 1, 1000, 1000, False, id="none by default"),
        pytest.param(Tolerance(count=10, percent=0.5), 10, 1000, 1000, True, id="within the count"),
        pytest.param(Tolerance(count=1, percent=0.5), 5, 1000, 1000, True, id="within the percentage"),
        pytest.param(Tolerance(count=1, percent=0.5), -6, 1000, 1000, False, id="beyond both"),
        pytest.param(Tolerance(percent=100.0), 1, 0, 1000, False, id="no percentage of nothing"),
        pytest.param(Tolerance(min_volume=100), 99, 99, 99, True, id="below the minimum volume"),
    ],
)
def test_a_tolerance_allows_what_is_within_one_of_its_limits(tolerance, difference, base, volume, allowed):
    assert tolerance.allows(difference, base, volume) is allowed


@pytest.mark.parametrize(
    ("stages", "names"),
    [
        pytest.param(["Collector", "Agg", "DB"], ["Discrepancy", "Skipped"], id="published"),
        pytest.param(
            ["Collector", "Agg", "DB", "NRT DB"], ["Discrepancy", "NRT Discrepancy", "Skipped"], id="published, NRT"
        ),
        pytest.param(["Agg", "DB"], ["Agg - DB"], id="a published stage is missing"),
        pytest.param(["Sent", "Queued", "Stored"], ["Sent - Queued", "Queued - Stored"], id="others"),
    ],
)
def test_stages_have_the_published_comparisons_or_each_with_the_next(stages, names):
    assert [comparison.name for comparison in default_comparisons(stages)] == names


@pytest.mark.parametrize(
    ("stages", "comparisons", "says"),
    [
        (["Agg"], (), "two or more stages"),
        (["Agg", "Agg"], (), "two or more stages"),
        (["Agg", "DB"], PUBLISHED, r"names the stage\(s\) \['Collector'\]"),
        (["Agg", "DB"], [Comparison("Loss", "Agg", "Db")], r"names the stage\(s\) \['Db'\]"),
        (["Agg", "DB"], [Comparison("Loss", "Agg", "DB")] * 2, "Two comparisons have the same name"),
    ],
    ids=["one stage", "one name twice", "percent of nothing", "misspelt", "one comparison twice"],
)
def test_what_cannot_be_compared_is_refused(stages, comparisons, says):
    with pytest.raises(ValueError, match=says):
        check_names(stages, comparisons)


def test_a_hidden_stage_is_compared_with_the_one_before():
    stages = ["Collector", "Read", "Agg", "DB"]
    comparisons = default_comparisons(stages, {"Read"})
    assert [(each.name, each.base, each.other) for each in comparisons] == [
        ("Discrepancy", "Agg", "DB"),
        ("Skipped", "Collector", "Agg"),
        ("Collector - Read", "Collector", "Read"),
    ]


def test_the_first_stage_cannot_be_hidden():
    with pytest.raises(ValueError, match="The first stage, 'Read', is what the others are compared with"):
        check_names(["Read", "Agg"], (), {"Read"})


@pytest.mark.parametrize(
    "comparisons",
    [
        [Comparison("Loss", "Agg", "DB")],
        [Comparison("A", "Agg", "DB", judge="gain"), Comparison("B", "DB", "NRT", judge="gain")],
    ],
    ids=["none", "two"],
)
def test_skips_belong_to_exactly_one_comparison(comparisons):
    with pytest.raises(ValueError, match='skips needs exactly one comparison with judge="gain"'):
        check_skips(comparisons)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"count": "{{ params.lost }}"}, "The tolerance's count is a whole number, 0 or more, not '{{ params.lost }}'"),
        ({"count": 1.5}, "count is a whole number"),
        ({"count": True}, "count is a whole number"),
        ({"percent": "1"}, "percent is a number, 0 or more, not '1'. It is fixed when the DAG is parsed"),
        ({"percent": float("nan")}, "percent is a number"),
        ({"percent": Decimal("NaN")}, "percent is a number"),
        ({"percent": -1}, "percent is a number"),
        ({"min_volume": None}, "min_volume is a whole number"),
    ],
    ids=str,
)
def test_a_tolerance_that_cannot_work_is_refused_when_the_dag_is_parsed(arguments, says):
    with pytest.raises(ValueError, match=says):
        Tolerance(**arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"judge": "gains"}, "judge is one of difference, gain, nothing, not 'gains'"),
        ({"other": "Agg"}, "Comparison 'Loss' compares the stage 'Agg' with itself"),
        ({"most_skipped": 101}, "most_skipped is a percentage from 0 to 100, not 101"),
        ({"most_skipped": "50"}, "most_skipped is a percentage from 0 to 100, not '50'"),
        ({"tolerance": 5}, "tolerance of Comparison 'Loss' is a Tolerance, not 5"),
    ],
    ids=str,
)
def test_a_comparison_that_cannot_work_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        Comparison(**{"name": "Loss", "base": "Agg", "other": "DB", **arguments})
