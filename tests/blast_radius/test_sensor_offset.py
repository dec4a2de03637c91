"""How far back a sensor looks, by the text of its file."""

from __future__ import annotations

import pytest

from airflow_agari_provider.blast_radius.sensor_offset import sensor_offset

SENSOR = 'ExternalTaskSensor(task_id="wait", external_dag_id="a"{more})\n'


@pytest.mark.parametrize(
    ("more", "offset"),
    [
        ("", 0),
        (", execution_delta=None", 0),
        (", execution_delta=timedelta(hours=1)", 3600),
        (", execution_delta=datetime.timedelta(days=1, hours=-2)", 79200),
        (", execution_delta=timedelta(1, 30)", 86430),
        (", execution_delta=timedelta(minutes=1.5)", 90),
        (", execution_delta=-timedelta(hours=1)", None),
        (", execution_delta=DELTA", None),
        (", execution_delta=timedelta(hours=HOURS)", None),
        (", execution_date_fn=lambda date: date", None),
        (", **more", None),
    ],
)
def test_of_a_sensor_in_a_file_with_another_that_has_an_offset(more, offset):
    other = 'ExternalTaskSensor(task_id="other", execution_delta=timedelta(days=3))\n'
    assert sensor_offset(other + SENSOR.format(more=more), "wait") == offset


@pytest.mark.parametrize(
    ("source", "task_id", "offset"),
    [
        (None, "wait", None),
        ("from factory import make\nmake('wait')", "wait", 0),
        ("execution_delta = 1 +", "wait", None),
        (SENSOR.format(more=", execution_delta=timedelta(hours=2)"), "group.wait", 7200),
        (SENSOR.format(more=", execution_delta=timedelta(hours=2)"), "elsewhere", None),
        (SENSOR.format(more=", execution_delta=timedelta(hours=2)") * 2, "wait", None),
        ('X.partial(task_id="wait", execution_delta=timedelta(hours=2)).expand(a=[1])', "wait", 7200),
        ('X.partial(task_id="wait").expand(execution_delta=[1])', "wait", None),
        ('DAG(default_args={"execution_delta": D})\n' + SENSOR.format(more=""), "wait", None),
    ],
    ids=["no file", "no such word", "no Python", "in a group", "not there", "twice", "mapped", "by index", "defaults"],
)
def test_of_other_files(source, task_id, offset):
    assert sensor_offset(source, task_id) == offset
