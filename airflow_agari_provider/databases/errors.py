"""Reasons why a table does not take rows."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_agari_provider.exceptions import AgariError, UnimportableObject, cut

# Characters of an error's text; a table may have thousands of columns.
NAMES_CHARACTERS = 300
DEFINITIONS_CHARACTERS = 2000


def _listed(names: Sequence[str]) -> str:
    return cut(", ".join(map(repr, names)), NAMES_CHARACTERS)


class MissingColumns(UnimportableObject):
    """
    Columns that the table does not have.

    :param table: the table.
    :param missing: names of the missing columns.
    :param available: names of the columns that the table has.
    :param definitions: SQL definitions of the missing columns.
    """

    def __init__(
        self, table: str, missing: Sequence[str], available: Sequence[str], definitions: Sequence[str]
    ) -> None:
        super().__init__(table, list(missing), list(available), list(definitions))
        self.table, self.missing, self.available = table, list(missing), list(available)
        self.definitions = list(definitions)

    def __str__(self) -> str:
        definitions = cut(", ".join(self.definitions), DEFINITIONS_CHARACTERS)
        return (
            f"Table {self.table} has no column {_listed(self.missing)}; it has {_listed(self.available)}. Nothing was "
            f'loaded. Do one of these: add what is missing, as schema_change="add_columns" would: {definitions}; leave '
            'the field out with schema_change="ignore"; or rename it with columns=.'
        )


class SameColumn(UnimportableObject):
    """
    Several fields that go to the same column, because the database takes their names for the same.

    :param names: names of the columns that the fields should go to.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(list(names))
        self.names = list(names)

    def __str__(self) -> str:
        return (
            f"Fields go to {' and '.join(map(repr, self.names))}, which are one column to this database, because it "
            "does not tell upper from lower case. Nothing was loaded. Use columns= to give one of them another name."
        )


class ColumnsRefused(UnimportableObject):
    """
    Columns that the database does not allow in a table: a name that it uses itself, or too many of them.

    :param table: the table.
    :param names: the columns.
    :param cause: error text of the database.
    """

    def __init__(self, table: str, names: Sequence[str], cause: str) -> None:
        super().__init__(table, list(names), cause)
        self.table, self.names, self.cause = table, list(names), cause

    def __str__(self) -> str:
        return (
            f"The database does not make columns for the fields {_listed(self.names)} in table "
            f"{self.table}: {self.cause.strip()}. Nothing was loaded. Use columns= to leave fields out, or to give "
            "their columns other names."
        )


class MissingTable(AgariError):
    """
    The table to load does not exist.

    :param table: the table.
    """

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table

    def __str__(self) -> str:
        return f"Table {self.table} does not exist. Create it, or pass create_table=True."


class UnstorableValue(UnimportableObject):
    """
    A value that the database would not keep unchanged.

    :param column: name of its column.
    :param problem: what is wrong, as a clause.
    :param row: position of its row in the current batch, counted from 0; None if not known.
    """

    def __init__(self, column: str, problem: str, row: int | None = None) -> None:
        super().__init__(column, problem, row)
        self.column, self.problem, self.row = column, problem, row

    def __str__(self) -> str:
        return (
            f"Column {self.column!r}: {self.problem}. Nothing was loaded; correct the program that writes the object."
        )


class NoUniqueKey(AgariError):
    """
    A table without the unique key by which MySQL would see that two rows have the same key.

    :param table: the table.
    :param key_columns: the key that it should have.
    """

    def __init__(self, table: str, key_columns: Sequence[str]) -> None:
        super().__init__(table, list(key_columns))
        self.table, self.key_columns = table, list(key_columns)

    def __str__(self) -> str:
        return (
            f"Table {self.table} has no primary or unique key of exactly {', '.join(self.key_columns)}, so an upsert "
            "would only add rows. Nothing was loaded; create the key, or correct key_columns."
        )


class OtherUniqueKey(AgariError):
    """
    A table with another unique key than that of the upsert: by it, MySQL may overwrite a different row.

    :param table: the table.
    :param key_columns: key of the upsert.
    :param others: names of the other keys.
    """

    def __init__(self, table: str, key_columns: Sequence[str], others: Sequence[str]) -> None:
        super().__init__(table, list(key_columns), list(others))
        self.table, self.key_columns, self.others = table, list(key_columns), list(others)

    def __str__(self) -> str:
        return (
            f"Table {self.table} has other unique keys than {', '.join(self.key_columns)}: "
            f"{cut(', '.join(self.others), NAMES_CHARACTERS)}. MySQL would overwrite a different row that has the same "
            "value in such a key. Nothing was loaded; upsert by that key, or make it an index that is not unique."
        )
