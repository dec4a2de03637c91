"""What is unlike the runs before: the whole rule, from the history's rows to the findings and their texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.discrepancy.comparisons import default_comparisons
from airflow_agari_provider.discrepancy.distribution import Distribution
from airflow_agari_provider.discrepancy.expected_volume import Expected
from airflow_agari_provider.discrepancy.findings import Limits, judge
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.stored_run import PastRun
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.discrepancy.unusual import EarlierRuns, unusual_shares, unusual_volumes

THURSDAY = datetime(2016, 4, 28, 5, tzinfo=UTC)
COUNTS = {"1": 400, "5": 4000, "56": 10_000}
WEEKLY, KEYS = Expected("Agg"), Expected("Agg", keys=5)


def run(day, counts=COUNTS, unusual=(), shares=None):
    moment = THURSDAY - timedelta(days=day)
    totals = {"Agg": sum(counts.values())}
    keys = {key: {"Agg": count} for key, count in counts.items()}
    return PastRun(moment, f"{day} days ago", totals, keys, True, shares or {}, unusual)


def earlier(days=35, odd=None, **more):
    return EarlierRuns([(odd or {}).get(day) or run(day) for day in range(days, 0, -1)], THURSDAY, **more)


def table(counts):
    return DiscrepancyTable({"Agg": counts, "DB": counts}, default_comparisons(["Agg", "DB"]))


def told(counts, expected=WEEKLY, past=None):
    findings, remarks = unusual_volumes(table(counts), [expected], past or earlier())
    return [str(finding) for finding in findings], remarks


def test_half_the_volume_is_told_with_what_is_usual():
    said, _ = told({"1": 200, "5": 2000, "56": 5000})
    (one,) = said
    assert one == (
        "7,200 messages in Agg, where 14,400 are usual (50.0 % fewer);"
        " from 10,080 to 18,720 are usual, by 5 runs of Thursdays, 05:00"
    )


@pytest.mark.parametrize(
    ("counts", "keys"),
    [
        (COUNTS, []),
        ({**COUNTS, "56": 0}, ["", "56"]),
        ({"1": 400, "5": 4000}, ["", "56"]),
        ({key: count // 2 for key, count in COUNTS.items()}, [""]),
        ({"1": 400, "5": 4000, "56": 4000}, ["", "56"]),
        ({**COUNTS, "1": 0}, ["1"]),
        ({**COUNTS, "1": 4000}, ["1"]),
        ({}, [""]),
    ],
    ids=[
        "as usual",
        "one is silent",
        "one is gone",
        "all are half",
        "the largest is less than half",
        "a small one is silent",
        "more",
        "nothing",
    ],
)
def test_a_key_is_named_if_it_is_unusual_itself(counts, keys):
    findings, _ = unusual_volumes(table(counts), [KEYS], earlier())
    assert [finding.key for finding in findings] == keys


def test_a_new_customer_is_not_unusual_until_it_is_known():
    past = earlier(odd={day: run(day, {**COUNTS, "9": 900}) for day in (1, 2)})
    assert told({**COUNTS, "9": 900}, KEYS, past)[0] == []


def test_until_enough_runs_are_known_the_report_says_that_it_learns():
    assert told({"1": 1}, past=earlier(days=20)) == (
        [],
        ["The usual volume of Agg is still being learnt, and not judged (2 of 4 runs of Thursdays, 05:00)."],
    )


def test_what_was_unusual_teaches_nothing_until_a_person_accepts_it():
    double = {key: 2 * count for key, count in COUNTS.items()}
    odd = {day: run(day, double, {("", "Expected Agg")}) for day in range(1, 29)}
    assert len(told(double, past=earlier(days=70, odd=odd))[0]) == 1
    accepted = [f"{day} days ago" for day in range(1, 29)]
    assert told(double, past=earlier(days=70, odd=odd, accepted=accepted))[0] == []


def test_since_leaves_out_what_was_before():
    past = earlier(days=60, odd={day: run(day, {"5": 90_000}) for day in range(13, 61)})
    daily = {"runs": 30, "same": "hour_of_day"}
    assert len(told(COUNTS, Expected("Agg", **daily), past)[0]) == 1
    since = Expected("Agg", since=(THURSDAY - timedelta(days=12)).isoformat(), **daily)
    assert told(COUNTS, since, past) == ([], [])


def test_a_stage_that_is_new_in_the_check_is_learnt_from_its_first_run_on():
    said, remarks = told(COUNTS, past=EarlierRuns([run(7)._replace(totals={}, keys={})], THURSDAY))
    assert (said, len(remarks)) == ([], 1)


@pytest.mark.parametrize("level", ["alarm", "warn"])
def test_a_finding_alarms_or_warns_and_leads_the_report(level):
    counts = table({"1": 200, "5": 2000, "56": 5000})
    findings, _ = unusual_volumes(counts, [Expected("Agg", level=level)], earlier())
    found = judge(counts, Limits(), unusual=findings)
    report = DiscrepancyReport(counts, found.findings, "run", "title", "window", found.alarms, found.discrepant)
    assert report.verdict == {"alarm": "high discrepancies", "warn": "warning"}[level]
    alarm = ["7,200 messages in Agg, where 14,400 are usual (50.0 % fewer)"]
    assert report.overall == (alarm if level == "alarm" else [])
    assert judge(counts, Limits(), first=[], unusual=findings).findings == []


SHARES = {"low": 600, "middle": 300, "high": 100}
TRUST = Distribution("trust", counts={}, same="any")


def shares_told(counts, days=20, unusual=(), distribution=TRUST):
    past = EarlierRuns([run(day, unusual=unusual, shares={"trust": SHARES}) for day in range(days, 0, -1)], THURSDAY)
    findings, remarks = unusual_shares({"trust": (distribution, counts)}, past)
    return [str(finding) for finding in findings], remarks


def test_a_shifted_distribution_names_what_has_moved():
    said, _ = shares_told({"low": 100, "middle": 300, "high": 600})
    (one,) = said
    assert one == (
        "trust is shared out otherwise than usual, 50.0 % of the messages have moved: high: 10.0 % -> 60.0 %,"
        " low: 60.0 % -> 10.0 %, middle: 30.0 % -> 30.0 %; divergence 0.2858, usual is up to 0.0041, by 8 runs"
    )


@pytest.mark.parametrize(
    ("counts", "more"),
    [
        (SHARES, {}),
        ({"low": 570, "middle": 290, "high": 140}, {}),
        ({}, {}),
        ({"high": 9}, {"distribution": Distribution("trust", counts={}, same="any", floor=95.0)}),
    ],
    ids=["as usual", "within the floor", "no messages", "a high floor"],
)
def test_other_shares_are_usual(counts, more):
    assert shares_told(counts, **more) == ([], [])


def test_a_distribution_is_learnt_as_well():
    assert shares_told(SHARES, days=3)[1] == [
        "The distribution trust is still being learnt, and not judged (3 of 4 runs)."
    ]
    assert len(shares_told(SHARES, unusual={("", "Distribution trust")})[1]) == 1
