"""
Who sends an alert: a row in a SQL table, inserted under a unique key by the first one that wants to.

Airflow runs a deadline's callback in every triggerer, and may find one miss in two schedulers; only one of them may
send. A claim has a lease, so that somebody else takes over when its owner dies between the claim and the sending.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from airflow_agari_provider.exceptions import AgariError

if TYPE_CHECKING:
    from airflow_agari_provider.databases.base import Dialect

TABLE = "agari_alert_claims"
# Seconds until an owner is taken for dead: much longer than a request may take, and than hosts' clocks may differ.
LEASE = 120.0
ALERT_CHARACTERS = 1000

State = Literal["mine", "takeover", "busy", "sent", "refused", "sending", "doubtful"]


class ClaimsUnavailable(AgariError):
    """
    The claims could neither be read nor written.

    :param problem: what the database, or who opens connections to it, says.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"The database of the claims cannot be used: {self.problem}"


@dataclass(frozen=True)
class Claim:
    """
    Answer to a claim.

    :param state: ``mine``: send it; ``takeover``: its owner died or does not know whether it was sent, so find out;
        ``busy``: somebody else is about to send it; ``sent``; ``refused``: the service does not want it.
    :param first_at: when it was claimed for the first time; seconds since the epoch.
    :param reference: to what was sent.
    :param failures: how often nobody knew afterwards whether it was sent.
    """

    state: State
    first_at: float = 0
    reference: str = ""
    failures: int = 0


class ClaimTable:
    """
    Claims of one process, in a table that it creates where it is missing.

    :param connect: opens a DB-API connection to PostgreSQL, MySQL, MariaDB or SQLite.
    :param owner: tells this process from every other; made up by default.
    :param lease: seconds until an owner that has not said that it sent is taken for dead.

    Every method raises :class:`ClaimsUnavailable`, and nothing else, where the database cannot be used.
    """

    def __init__(self, connect: Callable[[], Any], owner: str = "", lease: float = LEASE) -> None:
        self._connect = connect
        self._owner = owner or f"{socket.gethostname()[:100]}:{os.getpid()}:{uuid4().hex[:8]}"
        self._lease = lease
        self._there = False

    def claim(self, key: str, now: float) -> Claim:
        """
        Claim the sending of an alert.

        :param key: names the alert; of any length.
        :param now: seconds since the epoch.
        """
        id_ = _id(key)
        with self._open() as table:
            if table.insert((id_, key[:ALERT_CHARACTERS], self._owner, "sending", now, now, "")):
                return Claim("mine", now)
            found = table.rows("SELECT state, owner, claimed_at, first_at, reference", "WHERE id = ?", (id_,))
            if not found:
                return Claim("busy")  # released in between
            ((state, owner, claimed_at, first_at, reference),) = found
            if state in ("sent", "refused"):
                return Claim(state, first_at, reference)
            if now < claimed_at + (self._lease if state == "sending" else 0):
                return Claim("busy", first_at)
            same = "WHERE id = ? AND owner = ? AND state = ? AND claimed_at = ?"  # nobody else was quicker
            taken = table.change(
                f"UPDATE {TABLE} SET owner = ?, state = 'sending', claimed_at = ? {same}",  # noqa: S608 - a constant
                (self._owner, now, id_, owner, state, claimed_at),
            )
            if not taken:
                return Claim("busy", first_at)
            return Claim("mine" if state == "postponed" else "takeover", first_at, failures=int(reference or 0))

    def mark_sent(self, key: str, reference: str) -> None:
        """Note that the alert was sent; for good. :param reference: to what was sent, up to 255 characters."""
        self._settle(f"UPDATE {TABLE} SET state = 'sent', reference = ?", (reference[:255],), key)  # noqa: S608

    def mark_refused(self, key: str) -> None:
        """Note that the service will not take it; for good."""
        self._settle(f"UPDATE {TABLE} SET state = 'refused'", (), key)  # noqa: S608

    def mark_doubtful(self, key: str, failures: int, until: float = 0) -> None:
        """
        Note that nobody knows whether it was sent: whoever claims it next takes it over at once.

        :param failures: how often that was so; the reference of what is not sent holds it.
        :param until: or not before then; seconds since the epoch.
        """
        changes = "state = 'doubtful', reference = ?, claimed_at = ?"
        self._settle(f"UPDATE {TABLE} SET {changes}", (str(failures), until), key)  # noqa: S608

    def postpone(self, key: str, until: float) -> None:
        """Forget the claim: it certainly was not sent, and nobody is to claim it until then."""
        self._settle(f"UPDATE {TABLE} SET state = 'postponed', claimed_at = ?", (until,), key)  # noqa: S608

    def release(self, key: str) -> None:
        """Forget the claim: it certainly was not sent."""
        self._settle(f"DELETE FROM {TABLE}", (), key)  # noqa: S608

    def sent(self, key: str) -> Claim | None:
        """What was sent under a key; ``None`` if nothing was."""
        found = self.perhaps_sent(key)
        return found if found and found.state == "sent" else None

    def perhaps_sent(self, key: str) -> Claim | None:
        """What was sent under a key, is being sent, or may have been; ``None`` if nothing was."""
        with self._open() as table:
            found = table.rows("SELECT state, first_at, reference", "WHERE id = ?", (_id(key),))
        return Claim(*found[0]) if found and found[0][0] in ("sent", "sending", "doubtful") else None

    def enter_window(self, window: str, key: str, text: str, now: float) -> float | None:
        """
        Collect an alert for the digest of a window.

        :param text: what the digest says of it; up to 255 characters.
        :param now: seconds since the epoch.
        :return: when the window's first one came; ``None`` if it is that one, which is not collected.
        """
        first, collected = _id(f"{window}|first"), _id(f"{window}|{key}")
        window = window[:ALERT_CHARACTERS]
        with self._open() as table:
            table.insert((first, window, self._owner, "first", now, now, _id(key)))
            ((holder, came_at),) = table.rows("SELECT reference, first_at", "WHERE id = ?", (first,))
            if holder == _id(key):
                return None
            table.insert((collected, window, self._owner, "collected", now, now, text[:255]))
        return float(came_at)

    def close_window(self, window: str) -> list[str]:
        """What is collected in a window up to now; whatever comes later is not in its digest."""
        window = window[:ALERT_CHARACTERS]
        with self._open() as table:
            table.change(
                f"UPDATE {TABLE} SET state = 'told' WHERE alert = ? AND state = 'collected'",  # noqa: S608
                (window,),
            )
            found = table.rows("SELECT alert, reference", "WHERE alert = ? AND state = 'told'", (window,))
        return sorted(text for alert, text in found if alert == window)  # MySQL takes "a" and "A" for the same

    def was_collected(self, window: str, key: str) -> bool:
        """Whether an alert was in the window when it was closed."""
        with self._open() as table:
            return bool(table.rows("SELECT 1", "WHERE id = ? AND state = 'told'", (_id(f"{window}|{key}"),)))

    def _settle(self, sql: str, values: tuple[Any, ...], key: str) -> None:
        with self._open() as table:
            table.change(f"{sql} WHERE id = ? AND owner = ? AND state <> 'sent'", (*values, _id(key), self._owner))

    @contextmanager
    def _open(self) -> Iterator[_Table]:
        from airflow_agari_provider.databases.dialects import dialect_of

        try:
            with closing(self._connect()) as connection:
                dialect = dialect_of(connection)
                dialect.prepare(connection)
                table = _Table(dialect, connection)
                if not self._there:
                    table.create()
                    self._there = True
                yield table
        except Exception as error:  # any driver's, or of whatever opens the connections
            raise ClaimsUnavailable(f"{type(error).__name__}: {error}") from error


@dataclass
class _Table:
    dialect: Dialect
    connection: Any

    def create(self) -> None:
        from airflow_agari_provider.avro.columns import Column
        from airflow_agari_provider.databases.base import Target
        from airflow_agari_provider.databases.statements import create_table, reading

        with reading(self.connection):
            there = self.dialect.table_exists(self.connection, TABLE)
        if there:
            return
        texts, numbers = ("id", "alert", "owner", "state"), ("claimed_at", "first_at")
        columns = [*(Column(name, None, "text") for name in texts), *(Column(name, None, "double") for name in numbers)]
        target = Target(TABLE, (*columns, Column("reference", None, "text")), ("id",))
        create_table(self.dialect, self.connection, target)

    def insert(self, row: tuple[Any, ...]) -> int:
        """
        Insert a row where there is none of its id; how many were inserted.

        A transaction of its own: one that went on to UPDATE could deadlock with another one like it in MySQL.
        """
        verb, behind = self.dialect.insert_if_absent
        return self.change(f"{verb} INTO {TABLE} VALUES ({', '.join('?' * len(row))}) {behind}", row)

    def change(self, sql: str, values: tuple[Any, ...]) -> int:
        """Rows that a statement changed, in a transaction of its own."""
        from airflow_agari_provider.databases.statements import execute, transaction, with_placeholders

        with transaction(self.dialect, self.connection):
            return execute(self.connection, with_placeholders(sql, self.dialect.placeholder), values)

    def rows(self, select: str, where: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        from airflow_agari_provider.databases.statements import query, reading, with_placeholders

        with reading(self.connection):
            sql = with_placeholders(f"{select} FROM {TABLE} {where}", self.dialect.placeholder)
            return query(self.connection, sql, values)


def _id(key: str) -> str:
    """A hash, because databases limit the length of keys, and many take "a" and "A" for the same."""
    return sha256(key.encode()).hexdigest()
