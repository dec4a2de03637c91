"""Which alerts an SLA has, by owner, tag, task or a function."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_agari_provider.airflow_compat import DAG, BaseOperator, timezone
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import DAG_RUN, SlaAlert, set_slas
from airflow_agari_provider.slas.routing import alerts_for
from tests.slas.test_set_slas import watches

DATA, WEB, ALL = (SlackSlaMissNotifier(channel=name) for name in ("data", "web", "all"))
PAGE = SlaAlert(VictorOpsSlaMissNotifier(), after=timedelta(minutes=15))
HOUR = timedelta(hours=1)


@pytest.fixture
def dag():
    with DAG("telemetry", schedule=None, start_date=timezone.datetime(2016, 2, 1), tags=["billing", "hourly"]) as dag:
        extract = BaseOperator(task_id="extract", owner="data-team")
        extract >> BaseOperator(task_id="load", owner="ada, web") >> BaseOperator(task_id="report", owner="eve")
    return dag


@pytest.mark.parametrize(
    ("name", "alerts", "found"),
    [
        ("extract", {"owner:data-team": [DATA], "*": [ALL]}, [DATA]),
        ("extract", {"owner:data-*": [DATA], "*": [ALL]}, [DATA]),
        ("extract", {"owner:data": [DATA], "*": [ALL]}, [ALL]),
        ("extract", {"*": [ALL], "owner:data-team": [DATA]}, [DATA]),
        ("load", {"owner:web": [WEB], "*": [ALL]}, [WEB]),
        ("load", {"owner:ada": [DATA], "owner:web": [WEB]}, [DATA]),
        ("report", {"tag:billing": [WEB], "owner:eve": [DATA]}, [WEB]),
        ("report", {"tag:daily": [WEB], "owner:eve": [DATA, PAGE]}, [DATA, PAGE]),
        ("report", {"task:rep*": [WEB], "*": [ALL]}, [WEB]),
        (DAG_RUN, {"owner:eve": [WEB], "*": [ALL]}, [WEB]),
        (DAG_RUN, {"owner:nobody": [WEB], f"task:{DAG_RUN}": [DATA], "*": [ALL]}, [DATA]),
        ("load", lambda name: [DATA] if name == "load" else [ALL], [DATA]),
        (DAG_RUN, lambda name: [DATA] if name == "load" else [ALL], [ALL]),
        ("load", [ALL], [ALL]),
    ],
)
def test_the_first_key_that_fits_says_who_is_told(name, alerts, found, dag):
    assert alerts_for(dag, name, alerts) == [one if isinstance(one, SlaAlert) else SlaAlert(one) for one in found]


@pytest.mark.parametrize(
    ("alerts", "error", "problem"),
    [
        ({"owner:nobody": [ALL]}, ValueError, r"no key of alerts fits report \(owner eve\)"),
        ({"data": [ALL], "*": [ALL]}, ValueError, "has the key 'data'. Write 'owner:<name>'"),
        ({"owner:": [ALL], "*": [ALL]}, ValueError, "has the key 'owner:'"),
        ({"*": ALL}, TypeError, "must be a list of notifiers"),
        ({"*": "slack"}, TypeError, "must be a list of notifiers"),
        ({"*": []}, ValueError, "alerts is empty"),
        (ALL, TypeError, "must be a list of notifiers"),
        (lambda name: None, TypeError, "the alerts of report must be a list"),
        (["slack"], TypeError, "must be a notifier or an SlaAlert, not 'slack'"),
        ({"*": [PAGE]}, ValueError, "after= needs claims="),
    ],
)
def test_alerts_that_would_tell_nobody_are_refused(alerts, error, problem, dag):
    with pytest.raises(error, match=problem):
        set_slas(dag, {"report": HOUR}, alerts=alerts)


def test_each_sla_has_the_alerts_of_its_owner(dag):
    routes = {"owner:data-team": [DATA], "*": [ALL]}
    set_slas(dag, {"extract": HOUR, "load": HOUR}, alerts=routes, claims="sql:claims")
    channels = {one.task_id: one.alerts[0]["notifier"]["arguments"]["channel"] for one in watches(dag)}
    assert channels == {"extract": "data", "load": "all"}


def test_a_failure_that_others_are_told_of_is_told_to_who_is_late_because_of_it(dag):
    routes = {"owner:data-team": [DATA], "owner:eve": [ALL, WEB], "*": [ALL]}
    set_slas(dag, {"extract": HOUR, "load": HOUR, "report": HOUR}, alerts=routes, claims="sql:claims")
    assert {one.task_id: one.reported_later for one in watches(dag)} == {"extract": [], "load": [], "report": []}


def test_a_failure_that_all_of_them_are_told_of_is_told_once(dag):
    routes = {"owner:data-team": [ALL, WEB], "*": [ALL]}
    set_slas(dag, {"extract": HOUR, "load": HOUR}, alerts=routes, claims="sql:claims")
    assert {one.task_id: one.reported_later for one in watches(dag)} == {"extract": [], "load": ["extract"]}
