"""What happens where an object has fields that the table has no columns for."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.errors import MissingColumns
from airflow_agari_provider.databases.statements import add_column, comparable_name, require_own_columns, table_columns

logger = logging.getLogger(__name__)

SchemaChange = Literal["fail", "ignore", "add_columns"]


@dataclass(frozen=True)
class TableChange:
    """
    :param target: what to load once the change is made.
    :param added: its columns that the table does not have yet.
    """

    target: Target
    added: Sequence[Column] = ()


def table_change(
    dialect: Dialect,
    connection: Any,
    target: Target,
    schema_change: SchemaChange,
    needed: Collection[str],
    source: str,
) -> TableChange:
    """
    Find out what to do about fields without a column, and say so in the log; the table stays as it is.

    :param needed: columns without which the import makes no sense, such as its keys.
    :param source: name of the object.
    :raises SameColumn: two fields are for one and the same column.
    :raises MissingColumns: fields without a column where ``schema_change`` is ``fail``, or one that is needed.
    :raises UnsupportedAvroType: no type of this database holds every value of a field.
    """
    require_own_columns(dialect, target.columns)
    available = table_columns(dialect, connection, target.table)
    known = {comparable_name(dialect, name) for name in available}
    missing = [column for column in target.columns if comparable_name(dialect, column.name) not in known]
    if not missing:
        return TableChange(target)
    names = [column.name for column in missing]
    kept = tuple(column for column in target.columns if column not in missing)
    definitions = [f"{dialect.quote(column.name)} {dialect.column_type(column, False)}" for column in missing]
    if schema_change == "fail" or set(names) & set(needed) or (schema_change == "ignore" and not kept):
        raise MissingColumns(target.table, names, available, definitions)
    if schema_change == "ignore":
        logger.warning(
            "%s has fields without a column in %s, which are not loaded: %s. "
            'With schema_change="add_columns" the table would get %s',
            source,
            target.table,
            ", ".join(map(repr, names)),
            ", ".join(definitions),
        )
        return TableChange(replace(target, columns=kept))
    return TableChange(target, missing)


def add_columns(dialect: Dialect, connection: Any, change: TableChange, source: str) -> None:
    """Make the change; where another importer is quicker, that is as good."""
    for column in change.added:
        kind = dialect.column_type(column, False)
        add_column(dialect, connection, change.target.table, column)
        logger.warning(
            "Column %s %s, NULL in all rows so far, added to %s: %s has a field for it and the table had no column",
            dialect.quote(column.name),
            kind,
            change.target.table,
            source,
        )
