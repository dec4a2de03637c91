"""Ask for the tries of a DAG as a reader does, and show the answer as short rows."""

from __future__ import annotations

from airflow_agari_provider.views import charts_api
from airflow_agari_provider.views.parameters import tries_question
from tests.views.metadata_rows import EPOCH

NOW = 5000.0


def ask(metadata, dag_id, *arguments):
    return charts_api.dag_tries(metadata.session, dag_id, tries_question(arguments), EPOCH + NOW)


def shown(answer):
    """(task, try, outcome, start, run, idle, queued, deferred) of each try."""
    tries, tasks = answer["tries"], answer["tasks"]["task_id"]
    columns = ("run_seconds", "idle_seconds", "queued_seconds", "deferred_seconds")
    return [
        (
            tasks[tries["task"][at]],
            tries["try_number"][at],
            answer["outcomes"][tries["outcome"][at]],
            round(tries["start"][at] - EPOCH, 2),
            *(None if tries[name][at] is None else round(tries[name][at], 2) for name in columns),
        )
        for at in range(len(tries["task"]))
    ]
