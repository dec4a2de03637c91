"""One stage of a pipeline, as users name it for a check."""

from __future__ import annotations

from typing import Any


class Stage(dict[str, Any]):
    """
    Where the counts of one stage come from: a query, or another task.

    It is a dict so that Airflow renders its templates, and finds the tasks whose output it uses.

    :param name: heading in the report, such as ``DB``.
    :param sql: query that returns (key, count) rows, or a ``.sql`` file that holds the query; needs ``conn_id``.
    :param conn_id: connection of any database whose hook is a ``DbApiHook``.
    :param counts: ``{key: count}``, a list of such dicts to add up, a task's output, or a template that renders to one
        of these.
    :param shown: with ``False``, the stage has no column. By default it is then compared with the stage before it.
    """

    def __init__(
        self,
        name: str,
        *,
        sql: str | None = None,
        conn_id: str | None = None,
        counts: Any | None = None,
        shown: bool = True,
    ) -> None:
        if (sql is None) == (counts is None) or (sql is None) != (conn_id is None):
            raise ValueError(f"Stage {name!r} needs either sql and conn_id, or counts.")
        super().__init__(name=name, sql=sql, conn_id=conn_id, counts=counts, shown=shown)
