"""How a DAG is built, as far as it tells what a task feeds: read from the JSON that Airflow stores of a DAG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_agari_provider.blast_radius.feeds import PARAM, Feeds, feeds_in

# What a marker names if its author named no date.
SAME_DATE = "{{ logical_date.isoformat() }}"


@dataclass(frozen=True)
class Trigger:
    """A task that triggers runs of a DAG. :param dag_id: None: only its run knows, as with a template."""

    task_id: str
    dag_id: str | None


@dataclass(frozen=True)
class Marker:
    """
    A task that names a task of another DAG.

    :param dag_id: None: only its run knows, as with a template; the same for ``to_task``.
    :param same_date: it is of the run with the same logical date.
    """

    task_id: str
    dag_id: str | None
    to_task: str | None
    same_date: bool


@dataclass(frozen=True)
class Sensor:
    """
    A task that waits for another DAG.

    :param dag_id: what it waits for; None: only its run knows, as with a template.
    :param tasks: the tasks that it waits for; empty: the whole run.
    :param group: task group that it waits for.
    """

    task_id: str
    dag_id: str | None
    tasks: frozenset[str] = frozenset()
    group: str | None = None

    def waits_for(self, spoiled: frozenset[str] | None, shape: DagShape | None) -> bool:
        """Whether it waits for any of these tasks. :param spoiled: None: for all."""
        if spoiled is None or not (self.tasks or self.group):
            return True
        tasks = self.tasks or (shape.groups.get(self.group or "", frozenset()) if shape else spoiled)
        return bool(tasks & spoiled)


@dataclass(frozen=True)
class DagShape:
    """
    A DAG's tasks, what is downstream of each, and those that reach into other DAGs.

    :param downstream: the tasks directly after each task; it has each task of the DAG.
    :param groups: the tasks in each task group, also those in groups inside it.
    """

    dag_id: str
    downstream: Mapping[str, tuple[str, ...]]
    triggers: tuple[Trigger, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    markers: tuple[Marker, ...] = ()
    feeds: Mapping[str, tuple[Feeds, ...]] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def after(self, task_ids: Iterable[str]) -> frozenset[str]:
        """Return these tasks, and all tasks downstream of them."""
        found: set[str] = set()
        todo = list(task_ids)
        while todo:
            task_id = todo.pop()
            if task_id not in found:
                found.add(task_id)
                todo += self.downstream.get(task_id, ())
        return frozenset(found)


def shape_of(dag: Mapping[str, Any]) -> DagShape:
    """
    Return the shape of a DAG.

    :param dag: what Airflow 2.11 to 3.4 stores below ``"dag"`` in a serialized DAG.
    """
    dag_id = str(dag.get("dag_id", dag.get("_dag_id")))
    tasks = [task.get("__var", task) for task in dag["tasks"]]
    downstream = {str(task["task_id"]): tuple(sorted(task.get("downstream_task_ids") or ())) for task in tasks}
    feeds = {str(task["task_id"]): tuple(feeds_in(_parameter(task))) for task in tasks}
    return DagShape(
        dag_id,
        downstream,
        tuple(trigger for task in tasks if (trigger := _trigger(task))),
        tuple(sensor for task in tasks if (sensor := _sensor(task))),
        tuple(marker for task in tasks if (marker := _marker(task))),
        {task_id: declared for task_id, declared in feeds.items() if declared},
        dict(_groups(dag.get("task_group") or dag.get("_task_group") or {})),
    )


def _named(task: Mapping[str, Any], name: str) -> Any:
    """Return an argument of a task, mapped or not; None: it has none, or it differs by index or run."""
    value = task.get(name, task.get("partial_kwargs", {}).get(name))
    value = value.get("__var") if isinstance(value, dict) and "__var" in value else value
    return None if isinstance(value, str) and ("{{" in value or "{%" in value) else value


def _knows(task: Mapping[str, Any], *names: str) -> bool:
    """Whether a task's class has these arguments: so subclasses of Airflow's operators are found too."""
    return set(names) <= set(task.get("template_fields") or ())


def _trigger(task: Mapping[str, Any]) -> Trigger | None:
    if not _knows(task, "trigger_dag_id", "trigger_run_id"):
        return None
    return Trigger(str(task["task_id"]), _named(task, "trigger_dag_id"))


def _sensor(task: Mapping[str, Any]) -> Sensor | None:
    if not _knows(task, "external_dag_id", "external_task_ids"):
        return None
    one, several = _named(task, "external_task_id"), _named(task, "external_task_ids")
    several = several if isinstance(several, list) and "{{" not in str(several) else [one] if one else []
    tasks = frozenset(map(str, several))  # none, as with a template: it waits for the run
    return Sensor(
        str(task["task_id"]), _named(task, "external_dag_id"), tasks, _named(task, "external_task_group_id") or None
    )


def _marker(task: Mapping[str, Any]) -> Marker | None:
    is_one = "recursion_depth" in task or "recursion_depth" in task.get("partial_kwargs", {})
    if not is_one or not _knows(task, "external_dag_id", "external_task_id"):
        return None
    date = task.get("logical_date", task.get("execution_date"))  # 2.11's own class has the older name
    dag_id, to_task = _named(task, "external_dag_id"), _named(task, "external_task_id")
    return Marker(str(task["task_id"]), dag_id, to_task, date == SAME_DATE)


def _parameter(task: Mapping[str, Any]) -> Any:
    for name, value in task.get("params") or ():
        if name == PARAM:
            value = value.get("__var", value) if isinstance(value, dict) else value
            return value.get("default") if isinstance(value, dict) else value
    return None


def _groups(group: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    members: set[str] = set()
    for name, (kind, inner) in (group.get("children") or {}).items():
        if str(kind) == "operator":
            members.add(str(name))
        else:
            for inner_name, inner_members in _groups(inner.get("__var", inner)):
                yield inner_name, inner_members
                members |= inner_members
    yield str(group.get("_group_id") or ""), frozenset(members)
