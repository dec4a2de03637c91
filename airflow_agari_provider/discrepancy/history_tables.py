"""
The tables of the history, in the user's database: one row for each run of a check, its totals, its worst keys, and what
was told of it.

They are created when they are missing, get the columns that an older version did not have, and keep a limited number of
runs. Of a check that has only the table of the first version, ``agari_discrepancies``, the runs are taken over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.discrepancy.stored_run import EVERY_CHANNEL, Difference, StoredRun, Telling, stored_key

if TYPE_CHECKING:
    from airflow_agari_provider.databases.base import Dialect

CHECKS, STAGES, KEYS, TELLINGS = "agari_checks", "agari_check_stages", "agari_check_keys", "agari_check_tellings"
SHARES = "agari_check_shares"  # there only if a check has distributions
FIRST_VERSION = "agari_discrepancies"
# Kinds of databases' columns. Columns that a table of an older version lacks are added, and are NULL in its rows.
_TABLES: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
    CHECKS: (
        ("check_id", "run_at"),
        {
            "check_id": "text",
            "run_at": "text",
            "dag_id": "text",
            "task_id": "text",
            "run_id": "text",
            "window_name": "text",
            "verdict": "text",
            "key_count": "long",
            "alarms": "long",
            "discrepant": "long",
            "checked_at": "double",
            "report_url": "text",
            "series": "text",
            "accepted": "long",
        },
    ),
    STAGES: (
        ("check_id", "run_at", "place"),
        {
            "check_id": "text",
            "run_at": "text",
            "place": "long",
            "stage": "text",
            "total": "long",
            "usual_low": "long",
            "usual_high": "long",
        },
    ),
    KEYS: (
        ("check_id", "run_at", "place"),
        {
            "check_id": "text",
            "run_at": "text",
            "place": "long",
            "discrepant_key": "text",
            "comparison": "text",
            "difference": "long",
            "percent_of": "long",
            "severity": "text",
            "counts": "text",
            "good_stage": "text",
            "bad_stage": "text",
        },
    ),
    SHARES: (
        ("check_id", "run_at", "place"),
        {
            "check_id": "text",
            "run_at": "text",
            "place": "long",
            "distribution": "text",
            "bucket": "text",
            "messages": "long",
        },
    ),
    TELLINGS: (
        ("check_id", "run_at", "channel"),
        {
            "check_id": "text",
            "run_at": "text",
            "channel": "text",
            "kind": "text",
            "digest": "text",
            "told_at": "double",
        },
    ),
}
LARGEST = 2**63 - 1


class HistoryRows:
    """
    The tables on one connection.

    :param dialect: of the connection, which it has prepared.
    """

    def __init__(self, dialect: Dialect, connection: Any) -> None:
        self._dialect, self._connection = dialect, connection

    def create(self, with_shares: bool = False) -> None:
        """
        Create the tables, or add the columns that they lack. Several checks may do so at the same time.

        A table that exists is only read, so that no right to create tables is needed then.

        :param with_shares: also the table of distributions.
        """
        from airflow_agari_provider.avro.columns import Column
        from airflow_agari_provider.databases.base import Target
        from airflow_agari_provider.databases.statements import add_column, create_table, reading, table_columns

        for table, (key, kinds) in _TABLES.items():
            if table == SHARES and not with_shares:
                continue
            columns = tuple(Column(name, None, kind) for name, kind in kinds.items())  # type: ignore[arg-type]
            with reading(self._connection):
                there = self._dialect.table_exists(self._connection, table)
                present = (
                    {name.lower() for name in table_columns(self._dialect, self._connection, table)} if there else ()
                )
            if not there:
                create_table(self._dialect, self._connection, Target(table, columns, key))
                continue
            for column in columns:
                if column.name not in map(str.lower, present):
                    add_column(self._dialect, self._connection, table, column)
                    self._connection.commit()

    def runs(self, check: str) -> list[StoredRun]:
        """Return all runs of a check, the newest first, without their totals and keys."""
        tellings: dict[str, dict[str, Telling]] = {}
        for run_at, channel, *telling in self.select(
            f"SELECT run_at, channel, kind, digest, told_at FROM {TELLINGS} WHERE check_id = ?",  # noqa: S608
            check,
        ):
            tellings.setdefault(run_at, {})[channel] = Telling(*telling)
        found = self.select(
            "SELECT run_at, run_id, window_name, verdict, checked_at, key_count, alarms, discrepant, report_url, "  # noqa: S608
            f"series, accepted FROM {CHECKS} WHERE check_id = ? ORDER BY run_at DESC",
            check,
        )
        runs = []
        for run_at, run_id, window, verdict, checked_at, *numbers, report_url, series, accepted in found:
            keys, alarms, discrepant = (int(number or 0) for number in numbers)
            facts = (run_at, run_id, window, verdict, checked_at, keys, alarms, discrepant, report_url or "")
            runs.append(
                StoredRun(*facts, tellings=tellings.get(run_at, {}), series=series or "", accepted=bool(accepted))
            )
        return runs

    def differences(self, check: str, first: str, last: str) -> dict[str, list[Difference]]:
        """Return what the runs from one date to another stored about keys, by the date of the run."""
        found: dict[str, list[Difference]] = {}
        for run_at, *row in self.select(
            "SELECT run_at, discrepant_key, comparison, difference, percent_of, severity, counts "  # noqa: S608
            f"FROM {KEYS} WHERE check_id = ? AND run_at >= ? AND run_at <= ? ORDER BY run_at, place",
            check,
            first,
            last,
        ):
            key, comparison, difference, percent_of, severity, counts = row
            found.setdefault(run_at, []).append(
                Difference(key or "", comparison or "", int(difference), int(percent_of), severity, counts or "")
            )
        return found

    def write(self, check: str, dag_id: str, task: str, run: StoredRun, kept_runs: int) -> None:
        """Store a run in one transaction; what the same run stored before is replaced, without its tellings."""
        from airflow_agari_provider.databases.statements import reading, transaction

        shares = [(name, *each) for name, counts in run.shares.items() for each in counts.items()]
        with reading(self._connection):
            with_shares = (SHARES,) if self._dialect.table_exists(self._connection, SHARES) else ()
        with transaction(self._dialect, self._connection):
            self._delete(check, "run_at = ?", run.run_at, (CHECKS, STAGES, KEYS, *with_shares))
            facts = (run.run_id, run.window, run.verdict, run.keys, run.alarms, run.discrepant, run.checked_at)
            row = (check, run.run_at, dag_id, task, *facts, run.report_url, run.series, int(run.accepted))
            self._insert(CHECKS, [tuple(stored_key(value) if isinstance(value, str) else value for value in row)])
            self._insert(
                STAGES,
                [
                    (check, run.run_at, place, stored_key(name), _whole(total), *_limits(run.usual.get(name)))
                    for place, (name, total) in enumerate(run.totals.items())
                ],
            )
            self._insert(
                KEYS,
                [(check, run.run_at, place, *_in_bounds(each)) for place, each in enumerate(run.differences)],
            )
            self._insert(
                SHARES,
                [(check, run.run_at, n, *map(stored_key, names), _whole(m)) for n, (*names, m) in enumerate(shares)],
            )
            self._prune(check, kept_runs, with_shares)

    def tell(self, check: str, run_ats: Iterable[str], channel: str, telling: Telling) -> None:
        """Store what a channel was told of some runs, in place of what it was told of them before."""
        from airflow_agari_provider.databases.statements import transaction

        with transaction(self._dialect, self._connection):
            for run_at in run_ats:
                self._change(
                    f"DELETE FROM {TELLINGS} WHERE check_id = ? AND run_at = ? AND channel = ?",  # noqa: S608
                    check,
                    run_at,
                    channel,
                )
                self._insert(TELLINGS, [(check, run_at, channel, *telling)])

    def accept(self, check: str, run_ats: Iterable[str], accepted: bool) -> None:
        """Store whether a person has accepted what is wrong with the windows of some runs."""
        from airflow_agari_provider.databases.statements import transaction

        with transaction(self._dialect, self._connection):
            for run_at in run_ats:
                where = "check_id = ? AND run_at = ?"
                self._change(f"UPDATE {CHECKS} SET accepted = ? WHERE {where}", int(accepted), check, run_at)  # noqa: S608

    def take_over(self, dag_id: str, task: str) -> list[StoredRun]:
        """Return the runs that the first version stored, the newest first; none if its table is not there."""
        from airflow_agari_provider.databases.statements import reading

        with reading(self._connection):
            if not self._dialect.table_exists(self._connection, FIRST_VERSION):
                return []
        rows = self.select(
            f"SELECT run_at, discrepant_key, comparison, difference FROM {FIRST_VERSION} "  # noqa: S608
            "WHERE dag_id = ? AND task_id = ? ORDER BY run_at DESC, place",
            dag_id,
            task,
        )
        found: dict[str, list[Difference]] = {}
        for run_at, key, comparison, difference in rows:
            of_run = found.setdefault(run_at, [])
            if comparison is not None:
                of_run.append(Difference(stored_key(key or ""), comparison, int(difference), 0, "alarm"))
        told = {EVERY_CHANNEL: Telling("alarm", "", 0.0)}
        return [StoredRun(at, "", at, "not known", 0.0, differences=of, tellings=told) for at, of in found.items()]

    def _prune(self, check: str, kept_runs: int, with_shares: Sequence[str]) -> None:
        dates = [row[0] for row in self._query(f"SELECT run_at FROM {CHECKS} WHERE check_id = ?", check)]  # noqa: S608
        if len(dates) > kept_runs:
            oldest = sorted(dates)[-kept_runs]
            self._delete(check, "run_at < ?", oldest, (CHECKS, STAGES, KEYS, TELLINGS, *with_shares))

    def _delete(self, check: str, where: str, run_at: str, tables: Iterable[str]) -> None:
        for table in tables:
            self._change(f"DELETE FROM {table} WHERE check_id = ? AND {where}", check, run_at)  # noqa: S608

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        from airflow_agari_provider.databases.statements import with_placeholders

        names = list(_TABLES[table][1])
        sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
        if rows:
            with closing(self._connection.cursor()) as cursor:
                cursor.executemany(with_placeholders(sql, self._dialect.placeholder), rows)

    def _change(self, sql: str, *values: Any) -> None:
        from airflow_agari_provider.databases.statements import execute, with_placeholders

        execute(self._connection, with_placeholders(sql, self._dialect.placeholder), values)

    def _query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        from airflow_agari_provider.databases.statements import query, with_placeholders

        return query(self._connection, with_placeholders(sql, self._dialect.placeholder), values)

    def select(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """
        Return the rows of a query.

        :param sql: with ``?`` for each value.
        """
        from airflow_agari_provider.databases.statements import reading

        with reading(self._connection):
            return self._query(sql, *values)


def _limits(usual: tuple[int, int] | None) -> tuple[int | None, int | None]:
    return (_whole(usual[0]), _whole(usual[1])) if usual else (None, None)


def _whole(number: int) -> int:
    return max(-LARGEST, min(LARGEST, number))


def _in_bounds(each: Difference) -> Difference:
    return each._replace(difference=_whole(each.difference), percent_of=_whole(each.percent_of))
