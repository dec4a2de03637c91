"""How a DAG is built, by the JSON that Airflow stores: pieces as 2.11.2 and 3.3.2 wrote them."""

from __future__ import annotations

import pytest

from airflow_agari_provider.blast_radius.dag_shape import Marker, Sensor, Trigger, shape_of
from airflow_agari_provider.blast_radius.feeds import Feeds

TRIGGER = ["trigger_dag_id", "trigger_run_id", "logical_date", "conf", "wait_for_completion"]
EXTERNAL = ["external_dag_id", "external_task_id", "external_task_ids", "external_task_group_id"]


def shape(*tasks, **dag):
    return shape_of({"dag_id": "x", "tasks": [{"__var": task, "__type": "operator"} for task in tasks], **dag})


def test_what_is_downstream_of_a_task_is_also_what_comes_later():
    tasks = [{"task_id": "a", "downstream_task_ids": ["c", "b"]}, {"task_id": "b", "downstream_task_ids": ["d"]}]
    found = shape(*tasks, {"task_id": "c"}, {"task_id": "d", "downstream_task_ids": []})
    assert found.downstream == {"a": ("b", "c"), "b": ("d",), "c": (), "d": ()}
    assert found.after(["b"]) == {"b", "d"}
    assert found.after(["a", "gone"]) == {"a", "b", "c", "d", "gone"}


@pytest.mark.parametrize(
    ("task", "dag_id"),
    [
        ({"trigger_dag_id": "y"}, "y"),
        ({"trigger_dag_id": "{{ params.dag }}"}, None),
        ({"_is_mapped": True, "partial_kwargs": {"trigger_dag_id": "y"}}, "y"),
        ({"_is_mapped": True, "partial_kwargs": {}}, None),
    ],
    ids=["named", "template", "mapped", "mapped over DAGs"],
)
def test_tasks_that_trigger_runs(task, dag_id):
    found = shape({"task_id": "t", "template_fields": TRIGGER, "task_type": "OwnTrigger", **task})
    assert (found.triggers, found.sensors, found.markers) == ((Trigger("t", dag_id),), (), ())


@pytest.mark.parametrize(
    ("task", "sensor"),
    [
        ({"external_dag_id": "z"}, Sensor("t", "z")),
        ({"external_dag_id": "z", "external_task_id": "q", "external_task_ids": ["q"]}, Sensor("t", "z", {"q"})),
        ({"external_dag_id": "z", "external_task_ids": ["q", "r"]}, Sensor("t", "z", {"q", "r"})),
        ({"external_dag_id": "z", "external_task_group_id": "g"}, Sensor("t", "z", frozenset(), "g")),
        ({"external_dag_id": "{{ var.value.dag }}"}, Sensor("t", None)),
        ({"external_dag_id": "z", "external_task_ids": ["{{ params.task }}"]}, Sensor("t", "z")),
        ({"partial_kwargs": {"external_dag_id": "z", "external_task_id": "q"}}, Sensor("t", "z", {"q"})),
    ],
)
def test_tasks_that_wait(task, sensor):
    assert shape({"task_id": "t", "template_fields": EXTERNAL, **task}).sensors == (sensor,)


@pytest.mark.parametrize(
    ("date", "same"), [("{{ logical_date.isoformat() }}", True), ("{{ macros.ds_add(ds, 1) }}", False)]
)
def test_markers(date, same):
    task = {"external_dag_id": "z", "external_task_id": "q", "logical_date": date, "recursion_depth": 10}
    found = shape({"task_id": "t", "template_fields": ["external_dag_id", "external_task_id", "logical_date"], **task})
    assert (found.markers, found.sensors) == ((Marker("t", "z", "q", same),), ())


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ({"external_dag_id": "{{ params.dag }}", "recursion_depth": 10}, Marker("t", None, "q", False)),
        ({"external_dag_id": "z", "partial_kwargs": {"recursion_depth": 3}}, Marker("t", "z", "q", False)),
        (
            {"external_dag_id": "z", "recursion_depth": 10, "execution_date": "{{ logical_date.isoformat() }}"},
            Marker("t", "z", "q", True),
        ),
    ],
    ids=["template", "mapped", "of 2.11 itself"],
)
def test_further_markers(task, found):
    fields = ["external_dag_id", "external_task_id", "execution_date"]
    assert shape({"task_id": "t", "template_fields": fields, "external_task_id": "q", **task}).markers == (found,)


@pytest.mark.parametrize("name", ["task_group", "_task_group"])
def test_a_sensor_of_a_group_waits_for_the_tasks_in_it(name):
    inner = {"_group_id": "g.h", "children": {"g.h.a": ["operator", "g.h.a"]}}
    group = {"_group_id": "g", "children": {"g.b": ["operator", "g.b"], "g.h": ["taskgroup", inner]}}
    found = shape(**{name: {"_group_id": None, "children": {"c": ["operator", "c"], "g": ["taskgroup", group]}}})
    assert found.groups == {"": {"c", "g.b", "g.h.a"}, "g": {"g.b", "g.h.a"}, "g.h": {"g.h.a"}}
    waits = Sensor("t", "x", frozenset(), "g")
    assert [waits.waits_for(frozenset(tasks), found) for tasks in ({"g.h.a"}, {"c"})] == [True, False]


@pytest.mark.parametrize(
    ("sensor", "spoiled", "waits"),
    [
        (Sensor("t", "x"), {"a"}, True),
        (Sensor("t", "x", frozenset({"a", "b"})), {"b"}, True),
        (Sensor("t", "x", frozenset({"a"})), {"b"}, False),
        (Sensor("t", "x", frozenset({"a"})), None, True),
        (Sensor("t", "x", frozenset(), "g"), {"b"}, True),
    ],
    ids=["the run", "one of two", "another", "all is spoiled", "the group is not known"],
)
def test_what_a_sensor_waits_for(sensor, spoiled, waits):
    assert sensor.waits_for(None if spoiled is None else frozenset(spoiled), None) is waits


@pytest.mark.parametrize("kind", ["airflow.models.param.Param", "airflow.sdk.definitions.param.Param"])
def test_declared_edges_are_a_parameter_of_the_task(kind):
    stored = '[{"what": "scored/", "dag": "report", "window": "day of", "timezone": "UTC"}]'
    params = [["other", 1], ["agari_feeds", {"__class": kind, "default": stored, "description": None}]]
    assert shape({"task_id": "t", "params": params}).feeds == {"t": (Feeds("scored/", "report", "day of"),)}


def test_a_dag_of_2_11_has_its_id_below_another_name():
    assert shape_of({"_dag_id": "old", "tasks": []}).dag_id == "old"
