from __future__ import annotations

from airflow_agari_provider.discrepancy.report_text import text_report
from tests.discrepancy.reports import report_of


def test_the_text_names_the_loss_and_its_stage_and_lines_up(lossy):
    assert (
        text_report(lossy)
        == """\
EP_STAGE Message counts 2016-04-28: RDAs 22058, Messages 9266
1 of 2 keys differ by more than allowed. 12 did at first; counted again after 0:05:00.
- 5: lost 1,204 between Agg and DB (13.4 %); allowed 0 and 0.0 %

Org_ID  Collector Msgs  Agg Msgs  DB Msgs  Discrepancy  Discr %  Skipped  Notes
1                  340       266      266            0      0.0       74
5                 9000      9000     7796         1204     13.4        0
Total             9340      9266     8062         1204     12.9       74
"""
    )


def test_a_run_without_a_difference_has_the_same_report():
    text = text_report(report_of({"1": 340}, {"1": 266}, {"1": 266}))
    assert (
        text
        == """\
EP_STAGE Message counts 2016-04-28: Messages 266
0 of 1 keys differ by more than allowed.

Org_ID  Collector Msgs  Agg Msgs  DB Msgs  Discrepancy  Discr %  Skipped  Notes
1                  340       266      266            0      0.0       74
Total              340       266      266            0      0.0       74
"""
    )


def test_the_reasons_of_the_skips_stand_below_the_table():
    skips = {"no sender": {"1": 30}, "outside the window": {}, "dupli\ncate": {"1": 44}}
    assert (
        text_report(report_of({"1": 340}, {"1": 266}, {"1": 266}, skips))
        == """\
EP_STAGE Message counts 2016-04-28: Messages 266
0 of 1 keys differ by more than allowed.

Org_ID  Collector Msgs  Agg Msgs  DB Msgs  Discrepancy  Discr %  Skipped  Notes
1                  340       266      266            0      0.0       74
Total              340       266      266            0      0.0       74
Accounted for: 74 skipped (dupli\\ncate 44, no sender 30, outside the window 0).
"""
    )
