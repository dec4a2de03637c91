"""Which settings the sweep of the alerts takes; ``test_sweep.py`` has what it does."""

from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.airflow_runs import ANSWERS_EVERYWHERE
from airflow_agari_provider.slas import maintenance
from airflow_agari_provider.slas.maintenance import (
    NoApiNamed,
    NoClaimsNamed,
    api_named,
    claims_named,
    sweep_alerts,
    swept,
)
from airflow_agari_provider.slas.sweep import Swept, sweep


@pytest.fixture
def setting(monkeypatch):
    """Sets an option of ``[agari]``."""
    return lambda name, value: monkeypatch.setenv(f"AIRFLOW__AGARI__{name.upper()}", value)


@pytest.mark.parametrize(
    ("given", "set_to", "named"),
    [
        ("mine", "theirs", "sql:mine"),
        (None, "theirs", "sql:theirs"),
        ("", "theirs", "sql:theirs"),
        (None, " theirs\n", "sql:theirs"),
    ],
)
def test_the_claims_are_those_that_are_given_or_set(setting, given, set_to, named):
    setting("alerts_conn_id", set_to)
    assert claims_named(given) == named


@pytest.mark.parametrize("set_to", ["", "  "])
def test_without_either_it_says_what_to_set(setting, set_to):
    setting("alerts_conn_id", set_to)
    with pytest.raises(NoClaimsNamed, match=r"Set \[agari\] alerts_conn_id to the connection id"):
        claims_named(None)


@pytest.mark.parametrize(
    ("given", "set_to", "named"), [("mine", "theirs", "mine"), (None, "theirs", "theirs"), (None, " x ", "x")]
)
@pytest.mark.parametrize("in_a_dag", [None, "sweep_alerts()"])
def test_so_is_the_api(setting, given, set_to, named, in_a_dag):
    setting("airflow_api_conn_id", set_to)
    assert api_named(given, in_a_dag) == named


def test_a_task_needs_no_api_and_outside_of_one_only_airflow_2_does_not():
    assert api_named(None, None) == ""
    if ANSWERS_EVERYWHERE:
        assert api_named(None, "sweep_alerts()") == ""
    else:
        with pytest.raises(NoApiNamed, match=r"In a DAG, sweep_alerts\(\) needs none"):
            api_named(None, "sweep_alerts()")


@pytest.mark.parametrize("error", [NoClaimsNamed(), NoApiNamed("x()")], ids=["claims", "api"])
def test_an_error_survives_the_way_between_processes(error):
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_days_are_those_of_the_settings(setting, monkeypatch):
    asked = []
    monkeypatch.setattr(maintenance, "sweep", lambda *given, **more: asked.append((given, more)) or Swept(open=3))
    assert sweep_alerts("claims")["open"] == 3
    setting("alerts_give_up_days", "0.5")
    setting("alerts_keep_days", "30")
    swept("claims", None, 9, in_task=True)
    assert [more for _, more in asked] == [
        {"give_up_days": 7.0, "keep_days": 90.0, "seconds": 240},
        {"give_up_days": 0.5, "keep_days": 30.0, "seconds": 9},
    ]
    assert {given[0] for given, _ in asked} == {"sql:claims"}


@pytest.mark.parametrize(
    ("give_up", "keep"), [(7, 8), (0, 1), (-5, -3), (-5, 90), (float("nan"), 90), (7, float("nan")), (7, float("inf"))]
)
def test_days_that_would_delete_what_is_open_delete_nothing(give_up, keep):
    with pytest.raises(ValueError, match="Keep rows for at least 2 days longer; neither number is below zero"):
        sweep("sql:there_is_no_such_connection", lambda *_: None, give_up_days=give_up, keep_days=keep)
