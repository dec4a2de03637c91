"""What the charts know about a DAG other than its tries, on real databases."""

from __future__ import annotations

import pytest

from airflow_agari_provider.charts.rows import TaskFacts
from airflow_agari_provider.views.queries.dag_facts import dag_exists, task_facts
from airflow_agari_provider.views.queries.tables import DEADLINE
from tests.views.asked_charts import ask
from tests.views.metadata_rows import EPOCH

BEGINS_IN_TRIGGER = TaskFacts(None, reschedules=False, mapped=False, in_trigger=True)


def test_a_deadline_is_shown_with_its_run(metadata, dag_id):
    metadata.dag(dag_id)
    number = metadata.run(dag_id, "r1", 0)
    metadata.run(dag_id, "r2", 3600)
    if DEADLINE is None:
        metadata.sla_miss(dag_id, "load", 0)
        expected = [None, None]
    else:
        metadata.deadline(number, 900, missed=False)
        metadata.deadline(number, 600, missed=True)
        expected = [EPOCH + 600, None]
    runs = ask(metadata, dag_id)["runs"]
    assert (runs["deadline"], runs["deadline_missed"]) == (expected, [True, False])


def test_the_sla_of_a_task_comes_from_the_dag_file(metadata, dag_id):
    metadata.dag(dag_id, [{"task_id": "load", "sla": 1800.0}, {"task_id": "score"}])
    metadata.run(dag_id, "r", 0)
    metadata.instance(dag_id, "r", "load", 1, "success", start=1, end=2)
    metadata.instance(dag_id, "r", "score", 1, "success", start=3, end=4)
    assert ask(metadata, dag_id)["tasks"]["sla"] == [1800, None]


@pytest.mark.parametrize(
    ("task", "facts"),
    [
        ({}, TaskFacts(None, reschedules=False, mapped=False)),
        ({"sla": {"__type": "timedelta", "__var": 1800.0}}, TaskFacts(1800.0, reschedules=False, mapped=False)),
        ({"reschedule": True}, TaskFacts(None, reschedules=True, mapped=False)),
        (
            {"_is_mapped": True, "partial_kwargs": {"mode": "reschedule"}},
            TaskFacts(None, reschedules=True, mapped=True),
        ),
        ({"_is_mapped": True, "partial_kwargs": {"mode": "poke"}}, TaskFacts(None, reschedules=False, mapped=True)),
        ({"start_from_trigger": True, "start_trigger_args": {"trigger_cls": "a.B"}}, BEGINS_IN_TRIGGER),
        ({"start_from_trigger": True, "start_trigger_args": None}, BEGINS_IN_TRIGGER._replace(in_trigger=False)),
        (
            {"_is_mapped": True, "start_from_trigger": False, "partial_kwargs": {"start_from_trigger": True}},
            BEGINS_IN_TRIGGER._replace(mapped=True),
        ),
    ],
    ids=[
        "plain",
        "sla",
        "rescheduled sensor",
        "mapped rescheduled sensor",
        "mapped sensor that keeps its worker",
        "begins in a trigger",
        "would begin in a trigger, but names none",
        "mapped, begins in a trigger",
    ],
)
def test_what_the_dag_file_says_about_a_task_is_read(metadata, dag_id, task, facts):
    metadata.dag(dag_id, [{"task_id": "load", **task}])
    assert task_facts(metadata.session, dag_id) == {"load": facts}


def test_of_a_dag_that_was_never_parsed_nothing_is_known(metadata, dag_id):
    assert (dag_exists(metadata.session, dag_id), task_facts(metadata.session, dag_id)) == (False, {})
    metadata.dag(dag_id)
    assert (dag_exists(metadata.session, dag_id), task_facts(metadata.session, dag_id)) == (True, {})
