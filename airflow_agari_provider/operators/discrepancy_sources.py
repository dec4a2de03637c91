"""What a discrepancy check gets from Airflow's connections: its stages' counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import BaseHook
from airflow_agari_provider.airflow_runs import run_date
from airflow_agari_provider.discrepancy.counted import Counted, UnusableCounts
from airflow_agari_provider.discrepancy.counts import add_value, keys_from_value
from airflow_agari_provider.discrepancy.keys import KeyRule
from airflow_agari_provider.discrepancy.reading import Source, StageNotRead, add_cursor
from airflow_agari_provider.discrepancy.s3_counts import Fields, add_objects

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context


def source_of(
    stage: Mapping[str, Any], key: KeyRule, pool: dict[Any, str], aws_conn_id: str | None, region_name: str | None
) -> Source:
    """
    Return how a stage is read. What asks Airflow for a connection is done here, in the task's own thread.

    :param key: rule of the keys.
    :param pool: texts of keys that the stages share.
    :raises StageNotRead: there is no such connection, or it is not one of a database.
    """
    counted = Counted(stage["name"], key, stage["distinct"], pool)
    where, read = _reader(stage, aws_conn_id, region_name)
    return Source(counted, read, where, float(stage["timeout"]))


def _reader(
    stage: Mapping[str, Any], aws_conn_id: str | None, region_name: str | None
) -> tuple[str, Callable[[Counted], None]]:
    if stage["conn_id"] is not None:
        where = f"connection {stage['conn_id']}"
        hook, sql = _database(stage["name"], stage["conn_id"], where), str(stage["sql"] or "")
        if not sql.strip():
            raise UnusableCounts(stage["name"], "its query is empty: did its template render to nothing?")
        return where, lambda counted: hook.run(sql, handler=lambda cursor: add_cursor(counted, cursor))
    if stage["s3_url"] is not None:
        names = stage["key_field"]
        fields = Fields([names] if isinstance(names, str) else names, stage["count_field"], stage["where"] or {})
        s3 = s3_client(aws_conn_id, region_name)
        return str(stage["s3_url"]), lambda counted: add_objects(counted, s3, stage["s3_url"], fields)
    if stage["call"] is not None:
        call, arguments = stage["call"], dict(stage["arguments"] or {})
        return f"the function {getattr(call, '__qualname__', call)}", lambda counted: _add(counted, call(**arguments))
    return "counts", lambda counted: add_value(counted, stage["counts"])


def _add(counted: Counted, value: Any) -> None:
    """Add what a function returned: rows, or what another task may return."""
    rows = value if isinstance(value, (list, tuple)) else ()
    if rows and all(isinstance(row, (list, tuple)) for row in rows):
        counted.add_rows(rows)
    else:
        add_value(counted, value)


def _database(stage: str, conn_id: str, where: str) -> Any:
    try:
        hook = hook_of(conn_id)
    except Exception as error:
        raise StageNotRead(stage, where, f"{type(error).__name__}: {error}") from error
    if not hasattr(hook, "get_records"):
        raise StageNotRead(stage, where, f"{type(hook).__name__} runs no SQL: it is no connection of a database")
    return hook


def keys_from(value: Any, key: KeyRule) -> list[str]:
    """
    Return the expected keys: those of a list, or of the first column of a query.

    :param value: a list, text of one, or a mapping with ``sql`` and ``conn_id``, such as a ``Stage``.
    :raises UnusableKeys: it is anything else.
    :raises StageNotRead: the query failed.
    """
    if not (isinstance(value, Mapping) and value.get("conn_id")):
        return keys_from_value(value, key)
    where = f"connection {value['conn_id']}"
    hook = _database("expected keys", value["conn_id"], where)
    try:
        rows = hook.get_records(value["sql"])
    except Exception as error:
        raise StageNotRead("expected keys", where, f"{type(error).__name__}: {error}") from error
    return keys_from_value([row[0] if len(row) == 1 else list(row) for row in rows or ()], key)


def s3_client(aws_conn_id: str | None, region_name: str | None) -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return S3Hook(aws_conn_id=aws_conn_id, region_name=region_name).get_conn()


def hook_of(conn_id: str) -> Any:
    """Return the hook of a connection, which any thread may use: it does not ask Airflow for the connection again."""
    connection = BaseHook.get_connection(conn_id)
    hook = connection.get_hook()
    hook.get_connection = lambda *_, **__: connection
    return hook


def moment_of_run(context: Context, exactly: bool = False) -> str:
    """
    Return the run's date, in UTC, as text that sorts by time.

    :param exactly: with microseconds, if it has any: assets may start several runs in one second.
    """
    date = run_date(context["dag_run"])
    assert date is not None, "a run has a logical date, or a time at which it was due"
    return date.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S" + (".%f" if exactly and date.microsecond else ""))
