from __future__ import annotations

import csv
from pathlib import Path

import pytest

from airflow_agari_provider.discrepancy.comparisons import Tolerance, default_comparisons
from airflow_agari_provider.discrepancy.findings import find_discrepancies
from airflow_agari_provider.discrepancy.table import DiscrepancyTable, cell_text, percentage

PUBLISHED_CSV = Path(__file__).with_name("discrepancy_2016-04-28.csv")
STAGES = ("Collector", "Agg", "DB", "NRT DB")


def published_counts(leave_out_zeros=False):
    rows = list(csv.DictReader(PUBLISHED_CSV.read_text(encoding="utf-8").splitlines()))
    return {
        stage: {
            row["Org_ID"]: int(row[f"{stage} Msgs"])
            for row in rows
            if not leave_out_zeros or row[f"{stage} Msgs"] != "0"
        }
        for stage in STAGES
    }


@pytest.mark.parametrize("leave_out_zeros", [False, True], ids=["zeros", "absent keys"])
def test_the_published_table_comes_out_to_the_byte(leave_out_zeros):
    table = DiscrepancyTable(published_counts(leave_out_zeros), default_comparisons(STAGES))
    assert table.as_csv() == PUBLISHED_CSV.read_bytes().decode()


def test_the_published_day_has_totals_and_no_discrepancy():
    table = DiscrepancyTable(published_counts(), default_comparisons(STAGES))
    assert table.totals == ["Total", 273647, 261254, 261254, 0, 0.0, 698, 260556, 95.2, 12393, ""]
    assert find_discrepancies(table, Tolerance(), {}) == []


@pytest.mark.parametrize(
    ("difference", "base", "shown"),
    [
        (0, 0, "0.0"),
        (0, 340, "0.0"),
        (-74, 340, "-21.8"),
        (42757, 43115, "99.2"),
        (108080, 108084, "100.0"),
        (1, 800, "0.1"),
        (1, 400, "0.3"),
        (-1, 400, "-0.3"),
        (1, 2001, "0.05"),
        (-1, 2001, "-0.05"),
        (4, 108084, "0.004"),
        (-1, 3_000_000, "-0.00003"),
        (5, 0, "new"),
        (-5, 0, "new"),
        (500, 100, "500.0"),
    ],
)
def test_a_percentage_is_one_decimal_and_never_hides_a_difference(difference, base, shown):
    assert cell_text(percentage(difference, base)) == shown


def test_a_key_that_one_stage_lacks_counts_zero_there_and_the_notes_say_so():
    table = DiscrepancyTable(
        {"Collector": {"5": 9, "7": 4}, "Agg": {"5": 9}, "DB": {"6": 2}},
        default_comparisons(["Collector", "Agg", "DB"]),
        notes={"5": "moved house"},
    )
    assert table.columns == [
        "Org_ID",
        "Collector Msgs",
        "Agg Msgs",
        "DB Msgs",
        "Discrepancy",
        "Discr %",
        "Skipped",
        "Notes",
    ]
    assert table.rows(table.keys) == [
        ["5", 9, 9, 0, 9, 100.0, 0, "moved house; missing in DB"],
        ["6", 0, 0, 2, -2, "new", 0, "missing in Collector, Agg"],
        ["7", 4, 0, 0, 0, 0.0, 4, "missing in Agg, DB"],
    ]


def test_other_stages_are_compared_each_with_the_next():
    table = DiscrepancyTable(
        {"Sent": {"a": 10}, "Queued": {"a": 9}, "Stored": {"a": 9}},
        default_comparisons(["Sent", "Queued", "Stored"]),
        key_name="Customer",
        unit="Rows",
    )
    assert table.columns == [
        "Customer",
        "Sent Rows",
        "Queued Rows",
        "Sent - Queued",
        "Sent - Queued %",
        "Stored Rows",
        "Queued - Stored",
        "Queued - Stored %",
        "Notes",
    ]
    assert table.row("a") == ["a", 10, 9, 1, 10.0, 9, 0, 0.0, ""]


def test_two_empty_stages_are_a_table_without_rows():
    table = DiscrepancyTable({"Agg": {}, "DB": {}}, default_comparisons(["Agg", "DB"]))
    assert table.as_csv() == "Org_ID,Agg Msgs,DB Msgs,Agg - DB,Agg - DB %,Notes\n"
    assert table.totals == ["Total", 0, 0, 0, 0.0, ""]


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("=cmd()", "'=cmd()"),
        ("+1", "'+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-1+1", "'-1+1"),
        ("\t=1", "'\t=1"),
        ("-5", "-5"),
        ("<script>", "<script>"),
        ("a,b", '"a,b"'),
        ('"=1', '"""=1"'),
    ],
)
def test_no_key_becomes_a_formula_in_a_spreadsheet(key, field):
    table = DiscrepancyTable({"Agg": {key: 1}, "DB": {key: 1}}, default_comparisons(["Agg", "DB"]))
    assert table.as_csv().split("\n")[1] == f"{field},1,1,0,0.0,"


def test_an_expected_key_has_a_row_although_every_stage_is_silent():
    table = DiscrepancyTable(
        {"Collector": {"5": 1}, "Agg": {"5": 1}, "DB": {"5": 1}},
        default_comparisons(["Collector", "Agg", "DB"]),
        expected_keys=["7", "5"],
    )
    assert table.rows(table.keys) == [["5", 1, 1, 1, 0, 0.0, 0, ""], ["7", 0, 0, 0, 0, 0.0, 0, ""]]
