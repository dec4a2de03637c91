"""What the example DAGs share: the window and its names, the newest complete folder, the active organisations."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest


@pytest.fixture
def module(load_dag):
    return load_dag("scoring_pipeline")


def window(module, start, hours=1, organisations=()):
    params = {"window_start": start, "window_hours": hours, "organisations": list(organisations)}
    return module.window_of(None, params)


@pytest.mark.parametrize(
    ("named", "hours", "folders"),
    [
        ("2016-04-28T05:00:00+00:00", 1, ["dt=2016-04-28/hour=05/"]),
        ("2016-04-28T23:30:00", 2, ["dt=2016-04-28/hour=23/", "dt=2016-04-29/hour=00/"]),
        ("2016-04-28T00:00:00+02:00", 1, ["dt=2016-04-27/hour=22/"]),
        ("2016-04-28T00:00:00Z", 24, ["dt=2016-04-28/"]),
        ("2016-04-28T00:00:00Z", 48, ["dt=2016-04-28/", "dt=2016-04-29/"]),
    ],
    ids=["an hour", "over midnight", "another zone", "a day", "two days"],
)
def test_the_window_names_its_folders(module, named, hours, folders):
    assert window(module, named, hours).folders() == folders


@pytest.mark.parametrize(
    ("start", "hours", "organisations", "name", "text"),
    [
        ("2016-04-28T05:00Z", 1, (), "2016-04-28T05_1h", "2016-04-28, 05:00 to 06:00"),
        ("2016-04-28T00:00Z", 24, (), "2016-04-28T00_24h", "2016-04-28"),
        ("2016-04-28T23:00Z", 2, (7, 5), "2016-04-28T23_2h_only_5-7", "2016-04-28, 23:00 to 2016-04-29, 01:00"),
        (
            "2016-04-28T05:00Z",
            1,
            range(100),
            "2016-04-28T05_1h_only_d3bda65456c30184",
            "2016-04-28, 05:00 to 06:00",
        ),
    ],
    ids=["an hour", "a day", "two organisations", "a hundred organisations"],
)
def test_the_window_has_a_safe_name_and_a_text_for_people(module, start, hours, organisations, name, text):
    assert (window(module, start, hours, organisations).name, window(module, start, hours).text) == (name, text)


def test_without_parameters_the_window_is_the_run_s_own_hour(module):
    class Run:
        data_interval_start = datetime(2026, 11, 21, 9, tzinfo=UTC)

    of_run = module.window_of(Run, {"window_start": None, "window_hours": 1, "organisations": []})
    assert of_run.sql == "hour >= '2026-11-21T09' AND hour < '2026-11-21T10'"


def test_history_is_the_days_before_the_window(module):
    of_hour = window(module, "2016-04-28T05:00:00Z")
    assert module.archive_urls(of_hour, "b", 2) == "s3://b/archive/dt=2016-04-26/,s3://b/archive/dt=2016-04-27/"


def test_a_folder_is_complete_with_its_marker_and_the_latest_counts(module, s3, bucket):
    assert module.newest_complete(s3, bucket, "counts/2016-04-28T05_1h/") is None
    for key in ("a/0/_SUCCESS", "b/0/_SUCCESS", "c/0/part-0", "d/0/_temporary/part"):
        s3.put_object(Bucket=bucket, Key=f"counts/2016-04-28T05_1h/{key}", Body=b"")
    s3.put_object(Bucket=bucket, Key="counts/2016-04-28T05_12h/z/0/_SUCCESS", Body=b"")
    assert module.newest_complete(s3, bucket, "counts/2016-04-28T05_1h/") == "counts/2016-04-28T05_1h/b/0/"


def test_the_collectors_counts_are_those_of_the_window_s_organisations(module):
    found = [{"counts": {"5": 2, "7": 1}}, {"counts": {"5": 3, "12": 4}}]
    assert module.collected(found, window(module, "2016-04-28T05:00Z")) == {"5": 5, "7": 1, "12": 4}
    assert module.collected(found, window(module, "2016-04-28T05:00Z", organisations=[5])) == {"5": 5}


def test_skips_are_the_counts_of_the_reasons(module):
    counts = {"read": {"5": 3}, "scored": {"5": 1}, "skipped: duplicate": {"5": 2}, "skipped: no sender": {}}
    assert module.skips_of(counts) == {"duplicate": {"5": 2}, "no sender": {}}


def active(load_dag, organisations):
    return load_dag("scoring_pipeline").get_active_org_ids.function(params={"organisations": organisations})


def test_the_active_organisations_are_the_parameter_s_or_those_of_the_query(load_dag, monkeypatch, sqlite_path):
    assert (active(load_dag, []), active(load_dag, [7])) == ([], ["7"])
    with closing(sqlite3.connect(sqlite_path)) as connection:
        connection.executescript("create table organisations (id int); insert into organisations values (5), (12)")
    monkeypatch.setenv("AIRFLOW_CONN_SCORING_DB", f'{{"conn_type": "sqlite", "host": "{sqlite_path}"}}')
    monkeypatch.setenv("MESSAGE_SCORING_ORGANISATIONS_SQL", "SELECT id FROM organisations ORDER BY id")
    assert (active(load_dag, []), active(load_dag, [7])) == (["5", "12"], ["7"])


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("", {"name": "{{ params.cluster_name }}"}),
        ("serverless:scoring", {"name": "scoring", "execution_role_arn": "role"}),
        ("eks:0b0q", {"virtual_cluster_id": "0b0q", "execution_role_arn": "role"}),
    ],
)
def test_a_deployment_says_where_spark_runs(module, place, expected):
    target = module.scoring_target(place, "role").serialize()
    assert {name: target[name] for name in expected} == expected


def test_a_place_of_no_kind_is_refused_with_what_is_right(module):
    with pytest.raises(ValueError, match=r"is serverless:<name> or eks:<id>, not 'emr'"):
        module.scoring_target("emr", "role")
