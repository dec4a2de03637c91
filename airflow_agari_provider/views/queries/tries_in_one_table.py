"""
Tries as Airflow 3.4 keeps them: each is a row of ``task_instance``, and ``working_set`` is true for the newest one.

Here this table is read as the two tables of earlier versions. Databases put such a subquery into the statement around
it, so they use the same indexes.

An index of a mapped task, and a pass of a loop, is known by its region and its number in that region. The charts show
the number.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from airflow.models import TaskInstance, renderedtifields, xcom  # noqa: F401  (they bring their tables)

TRY = TaskInstance.__table__
COLUMNS = ("id", "dag_id", "task_id", "run_id", "region_id", "try_number", "state")
OTHERS = ("operator", "max_tries", "next_method", "rendered_map_index", "pool", "pool_slots", "queue", "executor")
TIMES = ("scheduled_dttm", "queued_dttm", "start_date", "end_date")


def _rows(name: str, condition: Any) -> Any:
    columns = [column for column in TRY.c if column.name in (*COLUMNS, *TIMES, *OTHERS)]
    return sa.select(*columns, TRY.c.region_index.label("map_index")).where(condition).subquery(name)


INSTANCE = _rows("newest_try", TRY.c.working_set.is_(True))
HISTORY = _rows("old_try", TRY.c.working_set.is_(None))
STORED = (TRY,)
INDEX = ("dag_id", "task_id", "run_id", "region_id", "map_index")
NEWEST_MAY_BE_OLD_TOO = False
HISTORY_BY_RUN = True


def _of_tries(name: str, before: Any, since: Any, columns: tuple[str, ...]) -> Any:
    """
    Return what tasks left, also the values of older tries, as one table that names the task instance.

    :param before: what 3.3 left; it names the task instance.
    :param since: what belongs to one try.
    """
    key = [before.c[column] for column in ("dag_id", "run_id", "task_id", "map_index")]
    of_try = [TRY.c[column] for column in ("dag_id", "run_id", "task_id")] + [TRY.c.region_index.label("map_index")]
    by_try = TRY.c["id"] == since.c.task_instance_id
    tried = sa.select(*of_try, *(since.c[column] for column in columns)).join(TRY, by_try)
    return sa.union_all(sa.select(*key, *(before.c[column] for column in columns)), tried).subquery(name)


_TABLES = TRY.metadata.tables
XCOM = _of_tries("xcoms", _TABLES["xcom_v1"], _TABLES["xcom_v2"], ("key", "value"))
RENDERED = _of_tries("rendered", _TABLES["rtif_v1"], _TABLES["rtif_v2"], ("rendered_fields",))
