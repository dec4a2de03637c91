"""Names and keys of MySQL's tables."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.errors import NoUniqueKey, OtherUniqueKey
from airflow_agari_provider.databases.statements import query


def names_of(target: Target) -> list[str]:
    return [column.name for column in target.columns]


def schema_and_name(table: str) -> tuple[str | None, str]:
    schema, _, name = table.rpartition(".")
    return schema or None, name


def require_key(connection: Any, target: Target) -> None:
    """
    Require that the key of the upsert is unique in the table, and that no other unique key does harm.

    MySQL updates a row that has any unique key in common with the new one. Two kinds of other unique keys do no
    harm: one that contains the whole key of the upsert, and one of a number that the server gives each new row.
    """
    sql = (
        "SELECT s.index_name, s.column_name, s.sub_part, c.extra FROM information_schema.statistics s "
        "LEFT JOIN information_schema.columns c ON c.table_schema = s.table_schema AND c.table_name = s.table_name "
        "AND c.column_name = s.column_name "
        "WHERE s.non_unique = 0 AND s.table_schema = COALESCE(%s, DATABASE()) AND s.table_name = %s"
    )
    loaded, key = ({name.casefold() for name in names} for names in (names_of(target), target.key_columns))
    keys: dict[str, set[str]] = {}
    for index, column, prefix, extra in query(connection, sql, schema_and_name(target.table)):
        name = str(column).casefold()
        if name in loaded or "auto_increment" not in str(extra).lower():
            # A key of only the first characters is not a key of the column.
            keys.setdefault(str(index), set()).add(name if prefix is None else f"{column}({prefix})")
    if key not in keys.values():
        raise NoUniqueKey(target.table, target.key_columns)
    if others := [name for name, columns in keys.items() if not columns >= key]:
        raise OtherUniqueKey(target.table, target.key_columns, others)
