from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3, AirflowPlugin
from airflow_agari_provider.airflow_deadlines import (
    HistoryDeadline,
    TimeOfDayDeadline,
    VariableDeadline,
    deadline_alert,
    durations,
    makes_runs_without_a_date,
    variable_value,
)
from airflow_agari_provider.alerts.history import FromHistory
from airflow_agari_provider.alerts.variable_sla import FromVariable

BERLIN = TimeOfDayDeadline("06:00:00 Europe/Berlin")


class Runs:
    """A session whose only run was planned to start at a moment."""

    def __init__(self, run_after):
        self._run_after = run_after

    def query(self, column):
        return SimpleNamespace(filter_by=lambda **keys: SimpleNamespace(one=lambda: (self._run_after,)))


def test_a_time_of_day_comes_back_from_what_it_is_serialized_to():
    assert BERLIN.serialize_reference() == {"reference_type": "TimeOfDayDeadline", "by": "06:00:00 Europe/Berlin"}
    assert TimeOfDayDeadline.deserialize_reference(BERLIN.serialize_reference()) == BERLIN


@pytest.fixture
def metadata(tmp_path):
    """Ten runs, each a minute longer than the one before: the task took 1 to 10 min after 2 min in the queue."""
    from tests.views.metadata_rows import Metadata, at

    metadata = Metadata(f"sqlite:///{tmp_path}/airflow.db")
    metadata.dag("telemetry")
    for number in range(1, 12):
        due = number * 3600
        state = "success" if number < 11 else "running"
        queued = {"queued_at": at(due), "end_date": at(due + 120 + 60 * number + 30)}
        metadata.run("telemetry", f"run {number}", due, state, **queued)
        for index in range(2):
            times = {"start": due + 120, "end": due + 120 + 60 * number - 30 * index, "map_index": index}
            metadata.instance("telemetry", f"run {number}", "load", 1, state, **times)
    metadata.run("telemetry", "failed", 50_000, "failed", queued_at=at(50_000), end_date=at(99_000))
    metadata.run("telemetry", "cleared", 60_000, "success", queued_at=at(61_000), end_date=at(60_900))
    yield metadata
    metadata.close()


def test_history_is_what_the_last_successful_runs_took(metadata):
    took = durations(metadata.session, "telemetry", "run 11", "load", 4)
    assert took == [120 + 60 * number for number in (10, 9, 8)]  # of the cleared run the task is not known
    assert durations(metadata.session, "telemetry", "run 11", None, 3) == [-100, 750, 690]
    assert durations(metadata.session, "telemetry", "run 10", "load", 2) == [660]
    assert durations(metadata.session, "other", "run 1", "load", 2) == []


@pytest.mark.parametrize(
    ("task_id", "history", "minutes"),
    [
        ("load", FromHistory(runs=11, factor=2), 24),
        ("load", FromHistory(runs=11, percentile=50, factor=1), 7),
        ("", FromHistory(runs=11, factor=2), 25),
        ("load", FromHistory(floor=timedelta(minutes=40)), 40),
        ("load", FromHistory(least=11), None),
        ("other", FromHistory(), None),
    ],
)
def test_a_run_is_due_as_long_after_it_was_queued_as_its_history_says(task_id, history, minutes, metadata):
    from tests.views.metadata_rows import at

    reference = HistoryDeadline(task_id, history.text)
    again = HistoryDeadline.deserialize_reference(reference.serialize_reference())
    due = again._evaluate_with(session=metadata.session, dag_id="telemetry", run_id="run 11")
    queued = at(11 * 3600)
    assert (due and due.replace(tzinfo=UTC) - queued) == (minutes and timedelta(minutes=minutes))


@pytest.mark.parametrize("name", ["asset_condition", "partitioned", "partitioned_at_runtime"])
def test_a_timetable_says_whether_its_runs_may_have_no_date(name):
    assert makes_runs_without_a_date(SimpleNamespace(**{name: True})) is AIRFLOW_3
    assert not makes_runs_without_a_date(SimpleNamespace(**{name: False}))


class Unreadable:
    def get_variable(self, key):
        raise OSError("the vault is sealed")


def test_a_variable_is_read_where_airflow_looks_for_it(metadata, monkeypatch):
    from airflow import configuration
    from airflow.models.variable import Variable

    found = configuration.ensure_secrets_loaded()
    monkeypatch.setattr(configuration, "ensure_secrets_loaded", lambda: [Unreadable(), *found])
    metadata.session.add(Variable(key="load_sla", val="600"))
    assert variable_value(metadata.session, "load_sla") == "600"
    assert variable_value(metadata.session, "no_such") is None
    monkeypatch.setenv("AIRFLOW_VAR_LOAD_SLA", "1200")
    assert variable_value(metadata.session, "load_sla") == "1200"


if AIRFLOW_3:  # 2.11 has no deadlines

    @pytest.mark.parametrize(("begin", "seconds"), [("queued_at", 30), ("logical_date", 0)])
    def test_a_run_is_due_as_long_after_its_begin_as_a_variable_says(begin, seconds, metadata, monkeypatch):
        from tests.views.metadata_rows import at

        metadata.run("telemetry", "new", 80_000, "queued", queued_at=at(80_030))
        known = FromVariable("load_sla", default=timedelta(hours=1))
        reference = VariableDeadline(known.text, begin)
        again = VariableDeadline.deserialize_reference(reference.serialize_reference())
        assert again == reference
        for value, sla in ((None, 3600), ("600", 600)):
            if value:
                monkeypatch.setenv("AIRFLOW_VAR_LOAD_SLA", value)
            due = again._evaluate_with(session=metadata.session, dag_id="telemetry", run_id="new")
            assert due.replace(tzinfo=UTC) == at(80_000 + seconds + sla)

    def test_a_run_without_a_logical_date_has_no_sla_from_there(metadata):
        metadata.run("telemetry", "by hand", 80_000, "queued", logical_date=None)
        reference = VariableDeadline(FromVariable("load_sla", default=timedelta(hours=1)).text, "logical_date")
        assert reference._evaluate_with(session=metadata.session, dag_id="telemetry", run_id="by hand") is None

    @pytest.mark.parametrize(
        ("run_after", "deadline"),
        [
            (datetime(2016, 2, 26, 4, tzinfo=UTC), datetime(2016, 2, 26, 5, tzinfo=UTC)),
            (datetime(2016, 2, 26, 18, tzinfo=UTC), datetime(2016, 2, 27, 5, tzinfo=UTC)),
        ],
        ids=["on the same day", "on the next day"],
    )
    def test_a_run_is_due_at_the_first_time_of_day_after_its_planned_start(run_after, deadline):
        found = BERLIN._evaluate_with(session=Runs(run_after), dag_id="telemetry", run_id="run")
        assert found == deadline

    @pytest.mark.parametrize("reference", ["queued_at", "logical_date"])
    def test_an_sla_by_a_duration_counts_from_its_reference(reference):
        from airflow.sdk.definitions.deadline import DeadlineReference

        path = "airflow_agari_provider.slas.deadline_callback.on_deadline"
        alert = deadline_alert(reference, timedelta(minutes=30), path, {"watch": "{}"})
        expected = {
            "queued_at": DeadlineReference.DAGRUN_QUEUED_AT,
            "logical_date": DeadlineReference.DAGRUN_LOGICAL_DATE,
        }
        assert (alert.reference, alert.interval) == (expected[reference], timedelta(minutes=30))
        assert (alert.callback.path, alert.callback.kwargs) == (path, {"watch": "{}"})

    def test_a_name_is_cut_to_what_airflow_keeps():
        alert = deadline_alert("queued_at", timedelta(0), "module.function", {}, name="x" * 300)
        assert len(getattr(alert, "name", "")) <= 250

    if not hasattr(AirflowPlugin, "deadline_references"):

        def test_a_time_of_day_is_refused_before_airflow_3_2():
            with pytest.raises(ValueError, match=r"An SLA by a time of day \(06:00:00 UTC\) needs Airflow 3\.2"):
                deadline_alert("06:00:00 UTC", timedelta(0), "module.function", {})
            with pytest.raises(ValueError, match="An SLA from history needs Airflow 3"):
                deadline_alert(HistoryDeadline("load", FromHistory().text), timedelta(0), "module.function", {})
            variable = VariableDeadline(FromVariable("sla", timedelta(hours=1)).text, "queued_at")
            with pytest.raises(ValueError, match="An SLA from a Variable needs Airflow 3"):
                deadline_alert(variable, timedelta(0), "module.function", {})
