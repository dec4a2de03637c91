from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_agari_provider.local.demo.alert_endpoints import Received
from airflow_agari_provider.local.demo.report import Outcome, checks, expected_table, print_outcome
from airflow_agari_provider.local.demo.setup import Options

TABLE = expected_table(Options())
TEXT = "EP_STAGE Message counts 2016-04-28: RDAs 22058, Messages 261254"
GOOD = Outcome(
    state="success",
    report={"columns": TABLE[0], "rows": TABLE[1:], "text": TEXT, "verdict": "ok"},
    tasks=[{"task_id": "score.score_messages", "try_number": 2, "start_date": "2016-04-28", "duration": 7.0}],
    queued=0,
    dead_letters=0,
    received=[Received("mail", "completed successfully", "source")],
    run_seconds=60.0,
    seconds=90.0,
)


def test_the_published_day_has_the_published_table_and_a_scaled_one_its_own_numbers():
    assert TABLE[1] == ["1", "340", "266", "266", "0", "0.0", "340", "-74", "-21.8", "74", ""]
    scaled = expected_table(Options(messages=27_365))
    assert scaled[0] == TABLE[0]
    assert scaled[6][:4] == ["14", "3565", "2873", "2873"]


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        pytest.param({}, [], id="good"),
        pytest.param({"state": "failed"}, ["the run ended in state failed"], id="a failed run"),
        pytest.param({"received": []}, ["the report was mailed"], id="no mail"),
        pytest.param(
            {"report": {}},
            [
                "the report equals the expected table in every cell",
                "the report's head has RDAs 22058, Messages 261254",
            ],
            id="no report",
        ),
        pytest.param({"dead_letters": 1}, ["the queues are empty"], id="a dead letter"),
    ],
)
def test_an_undisturbed_run_must_pass_every_check(changed, failed):
    found = checks(Options(), replace(GOOD, **changed))
    assert [text for text, good in found.items() if not good] == failed


DAY_OF_HOURS = replace(GOOD, verdicts={str(hour): "ok" for hour in range(24)}, received=GOOD.received * 24)


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        pytest.param({}, [], id="good"),
        pytest.param(
            {"received": GOOD.received * 23}, ["each of the 24 hours mailed its report (23 mails)"], id="a mail missing"
        ),
        pytest.param(
            {"verdicts": {**DAY_OF_HOURS.verdicts, "5": "none"}},
            ["the hours that alarm are: 5"],
            id="an hour without report",
        ),
        pytest.param(
            {"received": [*DAY_OF_HOURS.received, Received("slack", "SLA Miss", {})]},
            ["nobody was alerted"],
            id="alert",
        ),
    ],
)
def test_a_day_of_hours_must_pass_every_check(changed, failed):
    found = checks(Options(hourly=True), replace(DAY_OF_HOURS, **changed))
    assert [text for text, good in found.items() if not good] == failed


def test_the_outcome_is_printed_with_its_alerts_and_retries():
    said = []
    assert print_outcome(Options(), GOOD, said.append)
    assert f"\n{TEXT}" in said
    assert "  mail       completed successfully" in said
    assert f"  {'score.score_messages':<34}    7.0  (try 2)" in said
    assert "  ok     the queues are empty" in said


def test_a_long_line_of_an_alert_is_cut_and_shows_it():
    said = []
    print_outcome(Options(), replace(GOOD, received=[Received("mail", "x" * 200, "source")]), said.append)
    assert "  mail       " + "x" * 159 + "…" in said
