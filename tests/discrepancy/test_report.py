from __future__ import annotations

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
