"""One stage of a pipeline, as users name it for a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

TIMEOUT = 1800.0  # seconds for one stage
LONGEST_TIMEOUT = 7 * 86400.0  # seconds; for ever, or far more than this, no thread can wait


class Stage(dict[str, Any]):
    """
    Where the counts of one stage come from: a query, another task, objects on S3, or a function.

    It is a dict so that Airflow renders its templates, and finds the tasks whose output it uses.

    :param name: heading in the report, such as ``DB``.
    :param sql: query that returns (key, count) rows, or a ``.sql`` file that holds the query; needs ``conn_id``.
    :param conn_id: connection of any database whose hook is a ``DbApiHook``.
    :param counts: ``{key: count}``, a list of such dicts to add up, a task's output, or a template that renders to one
        of these.
    :param s3_url: an object, a folder, or a list of them: Avro, JSON lines, or one JSON value, by the end of the name
        or what is in it, also with ``.gz``.
    :param key_field: field of the objects' records that holds the key; a list for a key of several fields.
    :param count_field: field that holds the count; ``None``: each record counts one.
    :param where: field -> value: only such records count, as texts.
    :param call: function that returns what ``counts`` takes, or (key, count) rows; runs in a thread of its own.
    :param arguments: name -> argument of the function; templates.
    :param distinct: the rows of the query have a further column: how many of the messages are different ones. A loss
        and duplicates that cancel out are then told apart.
    :param timeout: seconds in which the stage must answer, at most a week.
    :param shown: with ``False``, the stage has no column. By default it is then compared with the stage before it.
    """

    def __init__(
        self,
        name: str,
        *,
        sql: str | None = None,
        conn_id: str | None = None,
        counts: Any | None = None,
        s3_url: str | Sequence[str] | None = None,
        key_field: str | Sequence[str] = "key",
        count_field: str | None = "count",
        where: Mapping[str, Any] | None = None,
        call: Callable[..., Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        distinct: bool = False,
        timeout: float = TIMEOUT,
        shown: bool = True,
    ) -> None:
        given = [each for each in (sql, counts, s3_url, call) if each is not None]
        if len(given) != 1 or (sql is None) != (conn_id is None):
            raise ValueError(f"Stage {name!r} needs either sql and conn_id, or counts, or s3_url, or call.")
        if type(timeout) not in (int, float) or not 0 < timeout <= LONGEST_TIMEOUT:
            raise ValueError(
                f"Stage {name!r} has a timeout of {timeout!r}: give seconds, more than 0 and at most a week "
                f"({LONGEST_TIMEOUT:.0f})."
            )
        if distinct and sql is None and call is None:
            raise ValueError(f"Stage {name!r} cannot be distinct: only rows of a query or a function have that column.")
        super().__init__(
            name=name,
            sql=sql,
            conn_id=conn_id,
            counts=counts,
            s3_url=s3_url,
            key_field=key_field,
            count_field=count_field,
            where=where,
            call=call,
            arguments=arguments,
            distinct=distinct,
            timeout=timeout,
            shown=shown,
        )


def may_change(stage: Mapping[str, Any]) -> bool:
    """Whether another reading of a stage may give other counts: those of another task do not change."""
    return stage["counts"] is None
