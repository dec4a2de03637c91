"""What EMR Serverless and EMR on EKS have in common; ``test_targets.py`` runs over both."""

from __future__ import annotations

import pytest

from airflow_agari_provider.scoring.job_runs import log_uri_of, states_of, with_logs
from airflow_agari_provider.scoring.jobs import LIVE

LOGS = {"s3MonitoringConfiguration": {"logUri": "s3://agari/logs/"}}


@pytest.mark.parametrize(
    ("overrides", "log_uri", "expected"),
    [
        (None, None, {}),
        ({}, "", {}),
        (None, "s3://agari/logs/", {"monitoringConfiguration": LOGS}),
        ({"applicationConfiguration": []}, None, {"applicationConfiguration": []}),
        ({"monitoringConfiguration": None}, "s3://agari/logs/", {"monitoringConfiguration": LOGS}),
        ({"monitoringConfiguration": {"x": 1}}, "s3://agari/logs/", {"monitoringConfiguration": {"x": 1, **LOGS}}),
        ({"monitoringConfiguration": LOGS}, "s3://other/", {"monitoringConfiguration": LOGS}),
    ],
    ids=["nothing", "empty", "logs only", "no logs", "null", "beside others", "their own place"],
)
def test_logs_go_where_they_are_asked_for_unless_the_overrides_say_it(overrides, log_uri, expected):
    assert with_logs(overrides, log_uri) == expected


def test_the_overrides_of_the_dag_do_not_change():
    overrides = {"monitoringConfiguration": {"x": 1}}
    with_logs(overrides, "s3://agari/logs/")
    assert overrides == {"monitoringConfiguration": {"x": 1}}


@pytest.mark.parametrize(
    "overrides",
    [{}, {"configurationOverrides": None}, {"configurationOverrides": {}}]
    + [
        {"configurationOverrides": {"monitoringConfiguration": one}}
        for one in (None, {}, {"s3MonitoringConfiguration": None}, {"s3MonitoringConfiguration": {"logUri": None}})
    ],
    ids=str,
)
def test_a_job_without_logs_has_no_place_for_them(overrides):
    assert log_uri_of(overrides) == ""


def test_the_place_for_logs_has_no_slash_at_its_end():
    assert log_uri_of({"configurationOverrides": {"monitoringConfiguration": LOGS}}) == "s3://agari/logs"


def test_live_states_are_those_of_live_phases():
    phases = {"SUBMITTED": "PENDING", "SUCCESS": "SUCCEEDED", "CANCELLING": "CANCELLING", "FAILED": "FAILED"}
    assert states_of(phases, LIVE) == ["SUBMITTED", "CANCELLING"]
    assert states_of({}, LIVE) == []
