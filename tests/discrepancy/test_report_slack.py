from __future__ import annotations

import re

import pytest

from airflow_agari_provider.discrepancy.report_slack import slack_alert
from tests.discrepancy.reports import HOSTILE, RUN, report_of


@pytest.mark.parametrize("key", HOSTILE)
def test_slack_never_sees_markup_in_hostile_keys(key):
    alert = slack_alert(report_of({key: 2}, {key: 2}, {key: 1}))
    assert re.findall(r"<[^>]*>|&(?!amp;|lt;|gt;)", alert) == []
    assert alert.count("`") == 6
    assert alert.count("\n") == 6


def test_the_slack_alert_is_the_published_sentence_and_the_guilty_rows(lossy):
    assert slack_alert(lossy).split("\n") == [
        "ep_telemetry_v2 on etl-00.ep-old.prod.agari.com completed 2016-02-03 00:00:00 with High Discrepancies",
        (
            "EP_STAGE Message counts 2016-04-28: RDAs 22058, Messages 9266. 1 of 2 keys differ by more than allowed."
            " 12 did at first; counted again after 0:05:00."
        ),
        "• 5: lost 1,204 between Agg and DB (13.4 %); allowed 0 and 0.0 %",
        "```",
        "Org_ID  Collector Msgs  Agg Msgs  DB Msgs  Discrepancy  Discr %  Skipped  Notes",
        "5                 9000      9000     7796         1204     13.4        0",
        "```",
    ]


@pytest.mark.parametrize(
    "key",
    ["{:05}", "x" * 60 + "{:05}", "x" * 200 + "{:05}", "<&>" * 100 + "{:05}"],
    ids=["short keys", "longer keys", "long keys", "keys that escape to five times"],
)
def test_the_slack_alert_stays_within_a_section(key):
    agg = {key.format(number): 10 for number in range(2000)}
    alert = slack_alert(report_of(agg, agg, {}, log_url="http://airflow/log|<x>"))
    assert alert.startswith(RUN)
    assert "<http://airflow/log%7C&lt;x&gt;|Log of the task>" in alert
    assert len(alert) <= 3000
    assert alert.count("```") in (0, 2)
