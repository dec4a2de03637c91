from __future__ import annotations

import json

import pytest

from airflow_agari_provider.discrepancy.report_text import text_report
from tests.discrepancy.reports import report_of


def test_of_many_keys_the_worst_are_shown_and_the_totals_are_of_all():
    agg = {str(number): 1000 for number in range(1204)}
    report = report_of(agg, agg, {**agg, "700": 990, "3": 0, "900": 999, "8": 2000})
    assert report.shown_keys[:5] == ["3", "8", "700", "900", "0"]
    assert len(report.shown_keys) == 50
    lines = text_report(report).splitlines()
    assert lines[1] == "4 of 1,204 keys differ by more than allowed."
    assert lines[-2].split() == ["Total", "1204000", "1204000", "1203989", "11", "0.0009", "0"]
    assert lines[-1] == "The 50 rows with the largest loss of 1,204; the totals are of all."
    result = report.result("text")
    assert (result["keys"], result["discrepant"], len(result["rows"]), len(result["findings"])) == (1204, 4, 50, 4)


def test_the_result_of_up_to_a_thousand_keys_has_every_row_in_key_order():
    agg = {str(number): 1 for number in range(1000)}
    rows = report_of(agg, agg, agg).result("text")["rows"]
    assert [row[0] for row in rows] == [str(number) for number in range(1000)]


@pytest.mark.parametrize(
    ("keys", "length", "rows"),
    [(500, 3, 500), (1000, 3, 50), (900, 60, 50), (10, 20_000, 10), (400, 20_000, 50)],
    ids=["short keys", "many short keys", "longer keys", "few long ones", "many long ones"],
)
def test_the_result_is_small_whatever_the_keys(keys, length, rows):
    agg = {f"{'ż' * (length - 3)}{number:03}": 1_000_000 for number in range(keys)}
    report = report_of(agg, agg, dict.fromkeys(agg, 1), {"reason " * 99: agg} | {str(n): agg for n in range(99)})
    result = report.result(text_report(report))
    assert len(json.dumps(result)) < 48 * 1024
    assert len(result["rows"]) == rows


def test_the_worst_of_very_many_keys_are_shown_without_putting_all_in_order(monkeypatch):
    monkeypatch.setattr("airflow_agari_provider.discrepancy.report.SORTED_KEYS", 10)
    agg = {str(number): 1000 for number in range(1204)}
    report = report_of(agg, agg, {**agg, "700": 990, "3": 0, "900": 999, "8": 2000})
    assert report.shown_keys[:4] == ["3", "8", "700", "900"]
    assert len(set(report.shown_keys)) == 50


def test_an_overall_line_says_how_many_keys_and_messages_each_step_lost():
    report = report_of(
        {"1": 9000, "5": 9000, "7": 10}, {"1": 9000, "5": 9000, "7": 10}, {"1": 8000, "5": 8796, "7": 12}
    )
    assert report.overall == [
        "Lost between Agg and DB: 2 organisations, 1,204 messages (6.7 %)",
        "Gained between Agg and DB: 1 organisation, 2 messages (0.01 %)",
    ]
    assert "Lost between Agg and DB: 2 organisations, 1,204 messages (6.7 %)." in text_report(report).splitlines()
    assert report.allowed == "Allowed 0 and 0.0 %, each."
    assert report.short_lines[0] == "1: lost 1,000 between Agg and DB (11.1 %)"


def test_a_single_finding_is_its_own_overall_line(lossy):
    assert lossy.overall == ["Lost between Agg and DB: 1 organisation, 1,204 messages (13.0 %)"]
    assert "organisation" not in text_report(lossy)
    assert (lossy.allowed, lossy.short_lines) == ("", lossy.finding_lines)
