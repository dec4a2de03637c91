from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3, AirflowPlugin
from airflow_agari_provider.airflow_deadlines import TimeOfDayDeadline, deadline_alert

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


if AIRFLOW_3:  # 2.11 has no deadlines

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
