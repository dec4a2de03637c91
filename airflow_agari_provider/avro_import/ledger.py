"""
The ledger: a table that records which objects are in which table, written in the same transaction as their rows.

It has one row for each object and table that the object was loaded into. A ledger row never exists without its
data, nor the data without its ledger row. Ledger rows do not expire.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from operator import itemgetter
from typing import Any

from airflow_agari_provider.avro_import.changed_object import LoadDecision, LoadedContent, OnChangedObject, modified_at
from airflow_agari_provider.avro_import.ledger_tables import LEDGER, now
from airflow_agari_provider.databases.base import PLAIN_INSERT, Dialect
from airflow_agari_provider.databases.generic import GenericDialect
from airflow_agari_provider.databases.statements import (
    VALUES_IN_A_QUERY,
    execute,
    insert_sql,
    query,
    quoted,
    quoted_table,
    with_placeholders,
)
from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.s3.objects import StoredObject


class ClaimedMeanwhile(AgariError):
    """
    Another importer claimed the same object at the same moment; the transaction has to begin again.

    :param cause: error text of the database.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return (
            "Another importer claimed the same object at the same moment, so this transaction has to begin again: "
            f"{self.cause}"
        )


@dataclass(frozen=True)
class LoadedObject:
    """
    An object whose rows are in the table. The parameters are those of :meth:`TableLedger.settle`.
    """

    stored: StoredObject
    rows: int
    counts: Mapping[str, int]
    content: str | None


@dataclass(frozen=True)
class TableLedger:
    """
    The ledger of one table, as one connection sees it.

    :param table: as ``table`` or ``schema.table``.
    :param run: name of the run that loads, as text.
    """

    dialect: Dialect
    connection: Any
    table: str
    run: str

    @cached_property
    def table_names(self) -> tuple[str, ...]:
        """
        Names of the table. Read them only once the table exists.

        Before that, another importer may still create it in another schema, or in other upper and lower case.
        """
        return self.dialect.table_names(self.connection, self.table, LEDGER)

    def is_loaded(self, bucket: str, key: str, etag: str) -> bool:
        """Whether this content of the object is in the table. The table need not exist yet."""
        there = "table_names" in vars(self) or self.dialect.table_exists(self.connection, self.table)
        names = self.table_names if there else self.dialect.table_names(self.connection, self.table, LEDGER)
        return (etag,) in self._rows(_ids(names, bucket, key), "etag")

    def etags(self, objects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], set[str]]:
        """
        Return the ETags with which objects are in the table, without those objects that are not.

        :param objects: their buckets and keys; any number, because one query asks for hundreds of them.
        """
        found: dict[tuple[str, str], set[str]] = {}
        step = VALUES_IN_A_QUERY // len(self.table_names)
        for start in range(0, len(objects), step):
            by_id = {one_id: one for one in objects[start : start + step] for one_id in _ids(self.table_names, *one)}
            for row_id, etag in self._rows(list(by_id), "id", "etag"):
                found.setdefault(by_id[str(row_id)], set()).add(str(etag))
        return found

    def claim(
        self,
        stored: StoredObject,
        on_changed_object: OnChangedObject,
        again: bool = False,
        is_current: Callable[[StoredObject], bool] = lambda stored: False,
        same_content: Callable[[StoredObject, str], bool] = lambda stored, content: False,
    ) -> LoadDecision:
        """
        Claim an object in the transaction that loads it, before its rows, and decide whether to load them.

        If another importer is loading the same object, wait for it; the decision depends on how that load ended.

        :param again: load the object although it was loaded before: its rows were deleted in this transaction.
        :param is_current: see :meth:`LoadedContent.against`.
        :param same_content: see :meth:`LoadedContent.written_anew`.
        :raises ObjectChanged: other content was loaded before, and ``on_changed_object`` is ``fail``.
        :raises ClaimedMeanwhile: another importer claimed the object, in a database that does not wait for it.
        """
        row = self._row(stored.bucket, stored.key) | {"id": self._own_id(stored.bucket, stored.key)} | _content(stored)
        if self._inserted(row):
            return "load"
        columns = ("etag", "modified_at", "loaded_at", "size_bytes", "content")
        ((etag, modified, *rest),) = self._rows([row["id"]], *columns, suffix=self.dialect.for_update)
        if not again:
            loaded = LoadedContent(self.table, etag, str(modified), *rest)
            if loaded.written_anew(stored, same_content):
                self._update(row["id"], row)
                return "there"
            if (answer := loaded.against(stored, on_changed_object, is_current)) != "load":
                return answer
        self._update(row["id"], row)
        return "load"

    def loaded_rows(self, bucket: str, key: str) -> int | None:
        """Return how many rows of an object the last load put into the table; None if there was no load yet."""
        own, *_ = _ids(self.table_names, bucket, key)
        ((rows,),) = self._rows([own], "loaded_rows")
        return None if rows is None else int(rows)

    def hold(self, bucket: str, key: str) -> None:
        """
        In a transaction: wait for an importer that is loading an object, and keep other ones from it until the end.

        For work that comes after the locks on several objects and before their rows. Each object must still be claimed,
        with ``again``.
        """
        row = self._row(bucket, key) | {"id": self._own_id(bucket, key)}
        if not self._inserted(row):
            self._update(row["id"], {"run": self.run})

    def settle(
        self,
        stored: StoredObject,
        rows: int,
        counts: Mapping[str, int],
        quarantined_rows: int = 0,
        quarantined_blocks: int = 0,
        content: str | None = None,
    ) -> None:
        """
        Record how many rows there were; in the same transaction, after the rows.

        :param rows: rows in the table; ``counts`` are these rows by the values of ``count_by``.
        :param quarantined_rows: rows that were left out.
        :param quarantined_blocks: blocks of which all or some rows were left out.
        :param content: as :meth:`ObjectStream.content` returns it.
        """
        own, *_ = _ids(self.table_names, stored.bucket, stored.key)
        self._update(own, self._figures(rows, counts, quarantined_rows, quarantined_blocks, content))

    def _figures(
        self, rows: int, counts: Mapping[str, int], quarantined_rows: int, quarantined_blocks: int, content: str | None
    ) -> dict[str, Any]:
        return {
            "loaded_rows": rows,
            "quarantined_rows": quarantined_rows,
            "quarantined_blocks": quarantined_blocks,
            "counts": json.dumps(counts),
            "loaded_at": now(self.dialect),
            "content": content,
        }

    def record(self, loaded: Sequence[LoadedObject]) -> bool:
        """
        Record objects that the ledger does not have by any name of the table, in the transaction that loads them.

        :return: False if another importer has recorded one of them meanwhile; then nothing may be committed.
        """
        rows = sorted(
            (
                self._row(one.stored.bucket, one.stored.key)
                | _content(one.stored)
                | self._figures(one.rows, one.counts, 0, 0, one.content)
                for one in loaded
            ),
            key=itemgetter("id"),  # in the same order everywhere, so that importers do not deadlock
        )
        verb, suffix = self.dialect.insert_if_absent
        inserted, step = 0, VALUES_IN_A_QUERY // len(rows[0])
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            sql = insert_sql(self.dialect, LEDGER, list(part[0]), verb)
            places = sql[sql.rindex("(") :]
            values = [value for row in part for value in row.values()]
            sql = f"{sql}{f', {places}' * (len(part) - 1)} {suffix}"
            inserted += execute(self.connection, sql, values)
        return inserted == len(rows)

    def _row(self, bucket: str, key: str) -> dict[str, Any]:
        """Return what is known of an object before it is opened."""
        return {
            "id": _ids(self.table_names, bucket, key)[0],
            "table_name": self.table,
            "bucket": bucket,
            "object_key": key,
            "run": self.run,
        }

    def _own_id(self, bucket: str, key: str) -> str:
        """
        Return the id of an object. A row of the object under another name of the table is given this id.

        This takes no lock, because MySQL would lock more than the row. It needs none: every importer that changes the
        id of such a row changes it to this one.
        """
        own, *others = _ids(self.table_names, bucket, key)
        if others:
            found = [str(one) for (one,) in self._rows([own, *others], "id")]
            if found and own not in found:
                self._update(found[0], {"id": own})
        return own

    def _inserted(self, row: Mapping[str, Any]) -> bool:
        """Whether the row is new. If another importer is inserting the same row, wait for it."""
        dialect = self.dialect
        verb, suffix = dialect.insert_if_absent
        sql = f"{insert_sql(dialect, LEDGER, list(row), verb)} {suffix}"
        if dialect.insert_if_absent != PLAIN_INSERT:
            return bool(execute(self.connection, sql, list(row.values())))
        if isinstance(dialect, GenericDialect) and dialect.ledger_lock:
            execute(self.connection, dialect.ledger_lock)
        if self._rows([row["id"]], "id"):
            return False
        try:
            execute(self.connection, sql, list(row.values()))
        except dialect.driver.IntegrityError as error:
            raise ClaimedMeanwhile(str(error)) from error
        return True

    def _rows(self, ids: Sequence[str], *names: str, suffix: str = "") -> list[tuple[Any, ...]]:
        """
        Return columns of the rows with these ids.

        :param suffix: SQL at the end of the SELECT.
        """
        columns = ", ".join(quoted(self.dialect, name) for name in names)
        table, places = quoted_table(self.dialect, LEDGER), ", ".join("?" * len(ids))
        sql = f"SELECT {columns} FROM {table} WHERE id IN ({places}){suffix}"  # noqa: S608 - quoted
        return query(self.connection, with_placeholders(sql, self.dialect.placeholder), ids)

    def _update(self, row_id: str, values: Mapping[str, Any]) -> None:
        changes = ", ".join(f"{quoted(self.dialect, name)} = ?" for name in values)
        sql = f"UPDATE {quoted_table(self.dialect, LEDGER)} SET {changes} WHERE id = ?"  # noqa: S608 - quoted
        execute(self.connection, with_placeholders(sql, self.dialect.placeholder), [*values.values(), row_id])


def _content(stored: StoredObject) -> dict[str, Any]:
    return {
        "etag": stored.etag,
        "version_id": stored.version_id,
        "size_bytes": stored.size_bytes,
        "modified_at": modified_at(stored),
    }


def _ids(names: Sequence[str], bucket: str, key: str) -> list[str]:
    """Return the ids of an object in a table: first by the table's own name, then by names that old rows may have."""
    return [sha256(f"{name}\0{bucket}\0{key}".encode()).hexdigest() for name in names]
