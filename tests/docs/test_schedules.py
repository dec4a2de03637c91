"""What docs/schedules.md says about the hour of a run, on the Airflow that is installed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3, DAG
from tests.docs.blocks import ROOT
from tests.docs.python_blocks import run

FIVE = datetime(2026, 1, 1, 5, tzinfo=UTC)


def scheduled_run(dag):
    """The run that the scheduler makes at 05:00: its data interval, and when it is due."""
    from airflow.timetables.base import TimeRestriction

    if AIRFLOW_3:
        from airflow.serialization.serialized_objects import DagSerialization

        dag = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    restriction = TimeRestriction(earliest=dag.start_date, latest=None, catchup=True)
    info = dag.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    while info.run_after < FIVE:
        info = dag.timetable.next_dagrun_info(last_automated_data_interval=info.data_interval, restriction=restriction)
    assert info.run_after == FIVE
    start, end = info.data_interval
    return SimpleNamespace(data_interval_start=start, data_interval_end=end, run_after=info.run_after)


def rendered(template, dag_run):
    template = DAG("any", schedule=None).get_template_env().from_string(template)
    return template.render(dag_run=dag_run, macros=SimpleNamespace(timedelta=timedelta))


@pytest.fixture(scope="module")
def page():
    return run(ROOT / "docs" / "schedules.md")


def test_the_example_is_for_the_hour_that_has_ended_on_both_airflows(page):
    due = scheduled_run(page["dag"])
    assert (due.data_interval_start, due.data_interval_end) == (FIVE - timedelta(hours=1), FIVE)
    assert rendered(page["HOUR"], due) == "2026-01-01T04"


def test_without_an_interval_it_is_the_hour_before_the_run(page):
    assert rendered(page["HOUR"], SimpleNamespace(data_interval_start=None, run_after=FIVE)) == "2026-01-01T04"


def test_hourly_means_what_the_table_says():
    due = scheduled_run(DAG("plain", schedule="@hourly", start_date=FIVE - timedelta(hours=5)))
    begun, ended = FIVE, FIVE - timedelta(hours=1)
    assert due.data_interval_start == (begun if AIRFLOW_3 else ended)
    assert due.data_interval_end == FIVE


@pytest.mark.parametrize(
    "name", ["avro_s3_import", "discrepancy_check", "emr_spark_scoring"], ids=lambda name: f"{name}.md"
)
def test_the_pages_use_the_same_template(page, name):
    assert run(ROOT / "docs" / f"{name}.md")["HOUR"] == page["HOUR"]
