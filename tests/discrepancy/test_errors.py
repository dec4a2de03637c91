from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.discrepancy.counts import UnusableCounts
from airflow_agari_provider.discrepancy.errors import HighDiscrepancies, ReportNotDelivered

LOSS = HighDiscrepancies("d on h completed t", 1200, "5: lost 1 between Agg and DB", ["mail", "Slack"])
SILENCE = ReportNotDelivered("d on h completed t", ["Slack"])
NONSENSE = UnusableCounts("DB", "expected a mapping, got None")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (LOSS, "d on h completed t with High Discrepancies, 1,200 beyond tolerance; the largest: 5: lost 1 between"),
        (LOSS, "The report could not be sent by mail and Slack."),
        (LOSS, "Repair that stage and clear its tasks and all later ones, or raise the tolerance"),
        (
            SILENCE,
            "High Discrepancies, which could not be sent by Slack: the errors and the table are in the log above.",
        ),
        (NONSENSE, "Stage 'DB' gave no usable counts: expected a mapping, got None, so its keys cannot be compared."),
    ],
    ids=["what", "undelivered", "what to do", "no report sent", "no counts"],
)
def test_errors_say_what_to_do_and_survive_the_way_between_processes(error, says):
    assert says in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
