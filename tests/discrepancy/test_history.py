from __future__ import annotations

import pytest

from airflow_agari_provider.discrepancy.comparisons import STRICT, Tolerance, default_comparisons
from airflow_agari_provider.discrepancy.findings import Limits, find_discrepancies, judge
from airflow_agari_provider.discrepancy.history import LOG, Past, identity, named_windows
from airflow_agari_provider.discrepancy.stored_run import Difference, StoredRun, Telling
from airflow_agari_provider.discrepancy.table import DiscrepancyTable


def found(agg, db, tolerance=STRICT):
    return find_discrepancies(
        DiscrepancyTable({"Agg": agg, "DB": db}, default_comparisons(["Agg", "DB"])), tolerance, {}
    )


def loss(lost, of=1000, key="5"):
    (finding,) = found({key: of}, {key: of - lost})
    return finding


def run(hour, *findings, told=("Slack",), recovered=(), window=None, verdict=None, checked_at=None, kind="alarm"):
    differences = [Difference(*identity(each)[:2], each.difference, each.percent_of, each.level) for each in findings]
    differences += [Difference(key, "Agg - DB", 1, 0, "recovered") for key in recovered]
    return StoredRun(
        f"2016-02-03 {hour:02}:00:00",
        f"run {hour}",
        window or f"{hour}:00",
        verdict or ("high discrepancies" if findings else "ok"),
        hour if checked_at is None else checked_at,
        differences=differences,
        tellings={channel: Telling(kind, "", hour) for channel in told},
    )


def past(*runs, **more):
    newest_first = sorted(runs, key=lambda each: each.run_at, reverse=True)
    return Past(newest_first, newest_first[0], **more)


def earlier(*runs, channel="Slack", **more):
    return past(*runs, run(23), **more).earlier(channel)


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        (2, 2, "same as before"),
        (50, 53, "same as before"),
        (50, 62, "same as before"),
        (3, 4, "same as before"),
        (3, 7, "growing from 3"),
        (50, 100, "growing from 50"),
        (100, 50, "shrinking from 100"),
        (100, 90, "same as before"),
    ],
    ids=str,
)
def test_a_difference_grows_only_beyond_its_own_noise(before, now, status):
    assert earlier(run(1, loss(before))).status(loss(now)) == status


def test_a_busier_hour_that_loses_the_same_share_is_the_same():
    known = earlier(run(1, loss(5, of=100)))
    assert known.status(loss(500, of=10_000)) == "same as before"
    assert known.status(loss(900, of=10_000)) == "growing from 5"


def test_the_band_of_growth_can_be_chosen():
    known = earlier(run(1, loss(50)), growth=Tolerance(count=200, percent=25))
    assert [known.status(loss(lost)) for lost in (250, 251)] == ["same as before", "growing from 50"]


def test_a_gain_after_a_loss_and_an_alarm_after_a_warning_are_new():
    (gained,) = found({"5": 10}, {"5": 12})
    assert earlier(run(1, loss(2))).status(gained) == "new"
    table = DiscrepancyTable({"Agg": {"5": 1000}, "DB": {"5": 998}}, default_comparisons(["Agg", "DB"]))
    (warned,) = judge(table, Limits(Tolerance(count=5), warn_tolerance=STRICT)).findings
    assert warned.level == "warn"
    assert earlier(run(1, warned)).status(loss(2)) == "new"


def test_a_channel_knows_only_what_it_was_told():
    runs = [run(1, loss(10), told=("mail",)), run(2, loss(10), told=("mail",))]
    assert earlier(*runs, channel="Slack").is_news(loss(10))
    assert not earlier(*runs, channel="mail").is_news(loss(10))
    assert not earlier(*runs, channel=LOG).is_news(loss(10))


def test_what_was_told_is_remembered_over_runs_in_which_it_was_no_news():
    runs = [run(1, loss(10)), run(2, loss(10), told=()), run(3, told=())]
    assert not earlier(*runs).is_news(loss(10))


def test_a_key_without_messages_has_not_recovered_and_comes_back_as_the_same():
    runs = [run(1, loss(10)), run(2)]
    known = earlier(*runs)
    assert known.recovered([], lambda key: False) == []
    assert [each.key for each in known.recovered([], lambda key: True)] == ["5"]
    assert known.status(loss(10)) == "same as before"


def test_a_key_that_recovered_is_new_when_it_is_found_again():
    known = earlier(run(1, loss(10)), run(2, recovered=["5"]))
    assert known.recovered([], lambda key: True) == []
    assert known.status(loss(10)) == "new"


def test_runs_of_more_than_a_day_ago_are_forgotten():
    runs = [StoredRun(f"2016-01-{day:02}", "", "", "ok", day) for day in range(1, 26)]
    old = StoredRun("2015-12-31", "", "", "high discrepancies", 0, differences=run(1, loss(10)).differences)
    assert past(old, *runs).earlier(LOG).status(loss(10)) == "new"
    assert past(old, *runs[2:]).earlier(LOG).status(loss(10)) == "same as before"


def test_the_first_run_knows_of_none_before():
    assert past(run(1, loss(1))).earlier(LOG) is None


def test_windows_are_open_until_their_last_check_is_good_or_a_person_accepts_them():
    bad = [run(20, loss(10)), run(21, loss(10))]
    assert past(*bad).open_windows == ["20:00", "21:00"]
    assert past(run(20, loss(10)), run(22)).open_windows == ["20:00"]
    again = run(23, window="20:00", checked_at=99)
    assert past(*bad, again).open_windows == ["21:00"]
    assert past(*bad, accepted=["20:00"]).open_windows == ["21:00"]


def test_a_channel_hears_that_a_window_is_repaired_if_it_was_told_that_it_was_bad():
    mended = run(20, verdict="ok", checked_at=99)
    assert [each.window for each in past(mended, run(21, loss(10))).repaired("Slack")] == ["20:00"]
    assert past(mended).repaired("VictorOps") == []
    assert past(run(20, verdict="ok", kind="recovery")).repaired("Slack") == []
    known = run(20, verdict="ok", kind="known")
    assert [each.window for each in past(known).repaired("Slack")] == ["20:00"]


def test_an_attempt_was_told_only_what_is_the_same():
    told = past(run(1, loss(1)))
    assert told.was_told("Slack", "")
    assert not told.was_told("Slack", "another")
    assert not told.was_told("mail", "")


@pytest.mark.parametrize(
    ("value", "windows"),
    [(None, ()), ("", ()), ("2016-02-03\n\n 2016-02-04 ", ("2016-02-03", "2016-02-04")), (["a", 5], ("a", "5"))],
    ids=repr,
)
def test_accepted_windows_are_a_list_or_lines(value, windows):
    assert named_windows(value) == windows
