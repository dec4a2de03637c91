"""
Tries as Airflow 2.11 to 3.3 keep them: the newest try of each task instance in one table, the older tries in another.

A try is in both tables while it waits for its retry, and after it was cleared or marked by hand.
"""

from __future__ import annotations

from airflow.models import TaskInstance, xcom  # noqa: F401  (brings its table)
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstancehistory import TaskInstanceHistory

INSTANCE = TaskInstance.__table__
HISTORY = TaskInstanceHistory.__table__
STORED = (INSTANCE, HISTORY)
INDEX = ("dag_id", "task_id", "run_id", "map_index")  # map_index is -1 for a task that is not mapped
NEWEST_MAY_BE_OLD_TOO = True
# 2.11 has no index on the history by run, only the unique index that begins with DAG and task.
HISTORY_BY_RUN = any(index.columns.keys() == ["dag_id", "run_id"] for index in HISTORY.indexes)
XCOM = INSTANCE.metadata.tables["xcom"]
RENDERED = RenderedTaskInstanceFields.__table__
