from __future__ import annotations

import inspect
import json
import sys
from datetime import time, timedelta

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3, DAG, AirflowPlugin, BaseOperator, TaskGroup, task, timezone
from airflow_agari_provider.airflow_deadlines import HistoryDeadline, TimeOfDayDeadline, VariableDeadline
from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.sla import Watch
from airflow_agari_provider.alerts.sla_payload import unpacked
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import DAG_RUN, FromHistory, FromVariable, SlaAlert, set_slas
from tests.fix_alerts import SECRETS

ALERTS = [
    SlackSlaMissNotifier(slack_conn_id="slack_api", channel="C012AB3CD"),
    SlaAlert(VictorOpsSlaMissNotifier(victorops_conn_id="victorops"), after=timedelta(minutes=15)),
]
TAKES_REFERENCES = hasattr(AirflowPlugin, "deadline_references")  # 3.2
TAKES_TIMES = TAKES_REFERENCES or not AIRFLOW_3
START = timezone.datetime(2016, 2, 1)
HALF_HOUR, HOUR = timedelta(minutes=30), timedelta(hours=1)


@pytest.fixture
def dag():
    with DAG("telemetry", schedule="@hourly", start_date=timezone.datetime(2016, 2, 1), catchup=False) as dag:
        extract = BaseOperator(task_id="extract", owner="ada")
        with TaskGroup("group"):

            @task
            def mapped(number):
                return number

            load = mapped.expand(number=[1, 2])
        extract >> load >> BaseOperator(task_id="group.mapped_3") >> BaseOperator(task_id="report", owner="eve")
    return dag


def watches(dag) -> list[Watch]:
    """SLAs as they reach the processes that alert, on either Airflow."""
    if hasattr(dag, "deadline"):
        told = [TaskInState(task_id, None) for task_id in dag.task_ids]
        return [unpacked(Watch.from_json(deadline.callback.kwargs["watch"]), told)[0] for deadline in dag.deadline]
    return [watch.step(after) for watch in dag.sla_miss_callback.watches for after in watch.steps]


def test_every_step_of_every_sla_is_watched(dag):
    set_slas(dag, {"report": HALF_HOUR, DAG_RUN: HOUR}, alerts=ALERTS, claims="sql:claims", environment="EP_STAGE")
    assert [(watch.task_id, watch.sla, watch.steps, watch.owner) for watch in watches(dag)] == [
        ("report", 1800, [0], "eve"),
        ("report", 1800, [900], "eve"),
        (None, 3600, [0], "ada, airflow, eve"),  # in the same order in every process
        (None, 3600, [900], "ada, airflow, eve"),
    ]
    first = watches(dag)[0]
    assert first.upstream == ["extract", "group.mapped", "group.mapped_3", "report"]
    assert first.lookalikes == ["group.mapped_3"]
    assert (first.environment, first.claims) == ("EP_STAGE", "sql:claims")


@pytest.mark.parametrize(
    ("slas", "later", "earlier"),
    [
        ({"report": HALF_HOUR, "extract": HALF_HOUR, DAG_RUN: HOUR}, ["extract", None], []),
        ({"report": HALF_HOUR, "extract": timedelta(minutes=10)}, [], ["extract"]),
        ({"report": HALF_HOUR, "aside": HOUR}, [], []),
        *([({"report": time(6), "extract": time(6), DAG_RUN: time(7)}, ["extract"], [None])] if TAKES_TIMES else []),
    ],
    ids=["over together or later", "over before", "not before it", "times of day"],
)
def test_only_what_a_task_waits_for_may_tell_its_failure(slas, later, earlier, dag):
    with dag:
        BaseOperator(task_id="aside")
    set_slas(dag, slas, alerts=ALERTS[:1], claims="sql:claims")
    first = watches(dag)[0]
    assert (first.reported_later, first.reported_earlier) == (later, earlier)


if TAKES_TIMES:

    def test_an_sla_from_history_is_a_deadline_of_its_own_kind(dag):
        set_slas(dag, {"report": FromHistory(), "extract": HALF_HOUR}, alerts=ALERTS, claims="sql:claims")
        first, *_ = watches(dag)
        assert (first.history, first.sla, first.text) == ("20 95 1.5 300 5", 300, "history 20 95 1.5 300 5")
        assert (first.reported_later, first.reported_earlier) == ([], ["extract"])
        if AIRFLOW_3:
            assert dag.deadline[0].reference == HistoryDeadline("report", "20 95 1.5 300 5")
            assert [one.interval for one in dag.deadline[:2]] == [timedelta(0), timedelta(minutes=15)]
        else:
            assert dag.get_task("report").sla == timedelta(minutes=5)

    @pytest.mark.parametrize("reference", ["queued_at", "logical_date"])
    def test_an_sla_from_a_variable_is_a_deadline_of_its_own_kind(reference, dag):
        sla = FromVariable("load_sla", default=HOUR)
        set_slas(dag, {"report": sla, "extract": HOUR}, alerts=ALERTS, claims="sql:claims", reference=reference)
        first, *_ = watches(dag)
        assert (first.variable, first.sla, first.text) == ("3600 60 load_sla", 60, "variable 3600 60 load_sla")
        assert (first.reported_later, first.reported_earlier) == ([], ["extract"])
        assert first.name == "report within what a Variable says"
        if AIRFLOW_3:
            assert dag.deadline[0].reference == VariableDeadline("3600 60 load_sla", reference)
            assert [one.interval for one in dag.deadline[:2]] == [timedelta(0), timedelta(minutes=15)]
        else:
            assert dag.get_task("report").sla == timedelta(minutes=1)


def test_backfills_are_not_watched_and_manual_runs_are(dag):
    """... though never on Airflow 2.11."""
    set_slas(dag, {"report": HOUR}, alerts=ALERTS[:1])
    assert watches(dag)[0].silent_for == (["backfill"] if AIRFLOW_3 else ["manual", "backfill"])


def test_both_can_be_turned_around(dag):
    set_slas(dag, {"report": HOUR}, alerts=ALERTS[:1], backfill=True, manual=False)
    assert watches(dag)[0].silent_for == ["manual"]


def test_the_environment_is_the_configuration_s_by_default(dag, monkeypatch):
    monkeypatch.setenv("AIRFLOW__AGARI__ENVIRONMENT", "EP_STAGE")
    set_slas(dag, {"report": HOUR}, alerts=ALERTS[:1])
    assert watches(dag)[0].environment == "EP_STAGE"


def test_what_the_dag_had_is_kept(dag):
    def told(context):
        pass

    report = dag.get_task("report")
    report.on_success_callback = told
    dag.on_success_callback = told
    set_slas(dag, {"report": HOUR, DAG_RUN: HOUR}, alerts=ALERTS, claims="sql:claims")
    assert report.on_success_callback[0] is told
    assert dag.on_success_callback[0] is told
    assert [callback.__name__ for callback in (report.on_success_callback[1], dag.on_success_callback[1])] == [
        "agari_sla_recovery_of_report",
        "agari_sla_recovery_of_run",
    ]
    assert dag.has_on_success_callback


if AIRFLOW_3:

    def test_airflow_3_checks_deadlines(dag):
        from airflow.sdk.definitions.deadline import DeadlineReference

        set_slas(dag, {"report": HALF_HOUR}, alerts=ALERTS, claims="sql:claims", reference="logical_date")
        set_slas(dag, {"extract": HALF_HOUR}, alerts=ALERTS[:1])
        assert [deadline.interval for deadline in dag.deadline] == [HALF_HOUR, timedelta(minutes=45), HALF_HOUR]
        assert [deadline.reference for deadline in dag.deadline] == [
            DeadlineReference.DAGRUN_LOGICAL_DATE,
            DeadlineReference.DAGRUN_LOGICAL_DATE,
            DeadlineReference.DAGRUN_QUEUED_AT,
        ]
        assert len({hash(deadline) for deadline in dag.deadline}) == 3  # Airflow hashes them

    def test_airflow_s_page_of_deadlines_names_them(dag):
        deadline = pytest.importorskip("airflow.sdk.definitions.deadline")
        if "name" not in inspect.signature(deadline.DeadlineAlert).parameters:
            pytest.skip("this Airflow's deadlines have no names")
        from airflow.serialization.encoders import encode_deadline_alert

        set_slas(dag, {"report": HALF_HOUR, DAG_RUN: HOUR}, alerts=ALERTS, claims="sql:claims")
        assert [encode_deadline_alert(one)["name"] for one in dag.deadline] == [
            "report within 30 min",
            "report within 30 min, + 15 min",
            "the run within 1 h 0 min",
            "the run within 1 h 0 min, + 15 min",
        ]

    if TAKES_REFERENCES:

        def test_airflow_3_gets_a_time_of_day_as_a_reference_of_our_own(dag):
            from airflow.serialization.decoders import decode_deadline_alert
            from airflow.serialization.encoders import encode_deadline_alert

            set_slas(dag, {"report": time(6, 30)}, alerts=ALERTS, claims="sql:claims")
            assert [(watch.by, watch.steps) for watch in watches(dag)] == [
                ("06:30:00 UTC", [0]),
                ("06:30:00 UTC", [900]),
            ]
            assert [deadline.interval for deadline in dag.deadline] == [timedelta(0), timedelta(minutes=15)]
            again = decode_deadline_alert(encode_deadline_alert(dag.deadline[0])).reference  # as the scheduler does
            assert again.inner_ref == TimeOfDayDeadline("06:30:00 UTC")

    else:

        def test_airflow_3_1_refuses_a_time_of_day(dag):
            with pytest.raises(ValueError, match=r"An SLA by a time of day \(06:30:00 UTC\) needs Airflow 3\.2"):
                set_slas(dag, {"report": time(6, 30)}, alerts=ALERTS, claims="sql:claims")

else:

    def test_airflow_2_checks_the_slas_of_tasks(dag):
        set_slas(dag, {"group.mapped": HALF_HOUR, DAG_RUN: HOUR}, alerts=ALERTS, claims="sql:claims")
        assert {task.task_id: task.sla for task in dag.tasks if task.sla} == {
            "group.mapped_3": HALF_HOUR,
            "report": HOUR,
        }
        assert [watch.carriers for watch in dag.sla_miss_callback.watches] == [["group.mapped_3"], ["report"]]

    @pytest.mark.parametrize(
        ("schedule", "shortest"),
        [
            ("30 2 * * *", timedelta(hours=4)),
            (timedelta(days=1), timedelta(seconds=1)),
            ("30 7 * * 1-5", timedelta(hours=23)),
            ("@hourly", timedelta(seconds=1)),
            (None, timedelta(seconds=1)),
        ],
    )
    def test_airflow_2_looks_when_a_time_of_day_is_there(schedule, shortest):
        with DAG("daily", schedule=schedule, start_date=timezone.datetime(2016, 2, 1), catchup=False) as dag:
            BaseOperator(task_id="load")
        set_slas(dag, {"load": time(6, 30)}, alerts=ALERTS[:1])
        assert dag.get_task("load").sla == shortest

    def test_airflow_2_refuses_what_it_cannot_check(dag):
        with DAG("mapped", schedule=None, start_date=timezone.datetime(2016, 2, 1)) as mapped:
            task(lambda number: number).override(task_id="last").expand(number=[1])
        with pytest.raises(ValueError, match=r"no task that is not mapped after last\. Add an EmptyOperator there"):
            set_slas(mapped, {"last": HOUR}, alerts=ALERTS[:1])
        with pytest.raises(ValueError, match="two SLAs checked at report need claims="):
            set_slas(dag, {"report": HOUR, DAG_RUN: HALF_HOUR}, alerts=ALERTS[:1])
        dag.sla_miss_callback = print
        with pytest.raises(ValueError, match="telemetry has an sla_miss_callback"):
            set_slas(dag, {"report": HOUR}, alerts=ALERTS[:1])


@pytest.mark.parametrize(
    ("slas", "changes", "problem"),
    [
        ({"reprot": HOUR}, {}, "telemetry has no task reprot"),
        ({"report": HOUR}, {"claims": "claims"}, "claims must be 'sql:<conn_id>' or None, not 'claims'"),
        ({"report": HOUR}, {"claims": None}, "an alert with after= needs claims="),
        ({"report": HOUR}, {"incident": "run", "claims": None, "alerts": ALERTS[:1]}, "incident='run' needs claims="),
        ({"report": HOUR}, {"reference": "start"}, "reference is one of queued_at, logical_date, not 'start'"),
        ({"report": HOUR}, {"digest": HALF_HOUR, "claims": None, "alerts": ALERTS[:1]}, "digest= needs claims="),
        (
            {"report": HOUR},
            {"digest": HOUR},
            "telemetry: digest must be above zero and at most 0:30:00, not 1:00:00",
        ),
        ({"report": HOUR}, {"alerts": [ALERTS[0]] * 2}, "telemetry: two alerts go to .* at the same time"),
        ({"report": HOUR}, {"incident": "team"}, "incident is one of task, run, dag"),
        ({"report": HOUR}, {"when_failed": "sleep"}, "when_failed is one of page, downgrade, skip"),
        ({"report": timedelta(0)}, {}, "telemetry: the SLA of report must be longer than zero, .*, not 0:00:00"),
        ({"report": FromHistory()}, {"claims": None}, "the SLA of report is from history. That needs claims="),
        (
            {"report": FromVariable("sla", HOUR)},
            {"claims": None},
            "the SLA of report is from a Variable. That needs claims=",
        ),
        ({DAG_RUN: 30}, {}, r"the SLA of the run must be a timedelta, a time of day, .* or FromVariable\(\), not 30"),
        (
            {"report": "06:00"},
            {},
            r"telemetry: the SLA of report must be a timedelta, .* or FromVariable\(\), not '06:00'",
        ),
        ({"report": HOUR}, {"alerts": []}, "telemetry: alerts is empty, so no alert would be sent"),
        (
            {"report": HOUR},
            {"alerts": [SlaAlert(ALERTS[0], after=-HOUR)]},
            "after= of an alert must be a time after the SLA",
        ),
    ],
)
def test_a_mistake_is_an_import_error(slas, changes, problem, dag):
    with pytest.raises((ValueError, TypeError), match=problem):
        set_slas(dag, slas, **{"alerts": ALERTS, "claims": "sql:claims", **changes})


@pytest.mark.parametrize(
    ("schedule", "slas", "reference", "warnings"),
    [
        ("an asset", {"load": HOUR}, "logical_date", 1 if AIRFLOW_3 else 0),
        (None, {"load": HOUR}, "logical_date", 1 if AIRFLOW_3 else 0),
        ("an asset", {"load": HOUR}, "queued_at", 0),
        ("@hourly", {"load": HOUR}, "logical_date", 0),
        *([("an asset", {"load": time(6)}, "logical_date", 0)] if TAKES_TIMES else []),
    ],
    ids=["no date", "no schedule", "when it was queued", "hourly", *(["by a time of day"] if TAKES_TIMES else [])],
)
def test_a_schedule_whose_runs_have_no_date_to_count_from_is_a_warning(schedule, slas, reference, warnings, caplog):
    schedule = schedule_by_asset() if schedule == "an asset" else schedule
    with DAG("assets", schedule=schedule, start_date=START) as dag:
        BaseOperator(task_id="load")
    set_slas(dag, slas, alerts=ALERTS[:1], reference=reference)
    told = [record.getMessage() for record in caplog.records if "no logical date" in record.getMessage()]
    assert len(told) == warnings


def schedule_by_asset():
    from airflow.providers.common.compat.sdk import Asset

    return [Asset("s3://bucket/scores")]


def test_what_is_told_of_can_be_skipped(dag):
    set_slas(dag, {"report": HOUR}, alerts=ALERTS[:1])
    assert [callback.__name__ for callback in dag.get_task("report").on_skipped_callback] == [
        "agari_sla_recovery_of_report"
    ]


def test_it_can_be_called_twice(dag):
    set_slas(dag, {"report": HOUR}, alerts=ALERTS[:1])
    set_slas(dag, {"extract": HALF_HOUR}, alerts=ALERTS[:1])
    assert [watch.task_id for watch in watches(dag)] == ["report", "extract"]


def test_airflow_dags_test_is_left_alone(dag, monkeypatch, caplog):
    monkeypatch.setattr(sys, "argv", ["airflow", "dags", "test", "telemetry"])
    set_slas(dag, {"report": HOUR}, alerts=ALERTS[:1])
    if AIRFLOW_3:
        assert not dag.deadline
        assert "`airflow dags test` watches no SLAs" in caplog.text


def test_the_serialized_dag_holds_no_secret(dag, alerts):
    from airflow.serialization import serialized_objects

    set_slas(dag, {"report": HOUR}, alerts=ALERTS, claims="sql:claims")
    serializer = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)  # 3.2
    text = json.dumps(serializer.to_dict(dag)) + "".join(watch.to_json() for watch in watches(dag))
    assert "slack_api" in text
    assert not [secret for secret in SECRETS if secret in text]


if AIRFLOW_3:

    def chain(tasks):
        with DAG("ep_telemetry_v2", schedule="@hourly", start_date=START) as dag:
            before = None
            for number in range(tasks):
                task = BaseOperator(task_id=f"summarize_spark_{number:03}", owner="telemetry")
                if before:
                    before >> task
                before = task
        return dag

    @pytest.mark.parametrize("steps", [1, 3], ids=["three alerts at once", "three steps"])
    @pytest.mark.parametrize("tasks", [100, 300])
    def test_what_airflow_keeps_of_an_sla_does_not_grow_with_the_dag(tasks, steps):
        from airflow.serialization import serialized_objects

        serializer = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)  # 3.2
        dag = chain(tasks)
        before = len(json.dumps(serializer.to_dict(dag)))
        notifiers = [SlackSlaMissNotifier(channel="C012AB3CD"), VictorOpsSlaMissNotifier(), *ALERTS[:1]]
        alerts = [
            SlaAlert(notifier, after=timedelta(minutes=15 * number if steps > 1 else 0))
            for number, notifier in enumerate(notifiers)
        ]
        slas = {name: timedelta(minutes=10 + number) for number, name in enumerate(dag.task_ids)}
        set_slas(dag, slas, alerts=alerts, claims="sql:scoring_db", environment="EP_STAGE")
        assert len(dag.deadline) == tasks * steps
        grown = len(json.dumps(serializer.to_dict(dag))) - before
        assert grown <= 700 * tasks * steps
        callbacks = [
            json.dumps({"path": deadline.callback.path, "kwargs": deadline.callback.kwargs})
            for deadline in dag.deadline
        ]
        assert max(map(len, callbacks)) <= 700
