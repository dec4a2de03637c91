"""What happens if an object has fields for which the table has no columns."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.errors import DEFINITIONS_CHARACTERS, NAMES_CHARACTERS, MissingColumns
from airflow_agari_provider.databases.statements import add_column, comparable_name, require_own_columns, table_columns
from airflow_agari_provider.exceptions import cut

logger = logging.getLogger(__name__)

SchemaChange = Literal["fail", "ignore", "add_columns"]


@dataclass(frozen=True)
class TableChange:
    """
    How a table changes before an object is loaded.

    :param target: what to load once the change is made.
    :param added: columns of the target that the table does not have yet.
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
    Decide what to do about fields without a column, and log it. This does not change the table.

    :param needed: columns that the import cannot do without, such as its keys.
    :param source: name of the object.
    :raises SameColumn: two fields go to the same column.
    :raises MissingColumns: fields have no column and ``schema_change`` is ``fail``; or a needed column is missing; or,
        with ``ignore``, no field has a column.
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
            'To load them, set schema_change="add_columns", which adds these columns: %s',
            source,
            target.table,
            cut(", ".join(map(repr, names)), NAMES_CHARACTERS),
            cut(", ".join(definitions), DEFINITIONS_CHARACTERS),
        )
        return TableChange(replace(target, columns=kept))
    return TableChange(target, missing)


def add_columns(dialect: Dialect, connection: Any, change: TableChange, source: str) -> None:
    """Make the change. It does no harm if another importer has made it first."""
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
