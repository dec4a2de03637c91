"""What the run before found, so that a report tells news from what is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.discrepancy.findings import Finding

KEPT_FINDINGS = 1000  # of a run, the largest; a pipeline with more has no news but that

# One row for each finding, in the order of their size, and row 0 for the run, which may have found nothing.
# The longest primary key that MySQL's utf8mb4 allows is 768 characters.
CREATE_TABLE = """
    CREATE TABLE IF NOT EXISTS agari_discrepancies (
        dag_id VARCHAR(250) NOT NULL,
        task_id VARCHAR(260) NOT NULL,
        run_at VARCHAR(32) NOT NULL,
        place INTEGER NOT NULL,
        discrepant_key VARCHAR(250),
        comparison VARCHAR(250),
        difference BIGINT,
        PRIMARY KEY (dag_id, task_id, run_at, place)
    )"""


@dataclass(frozen=True)
class EarlierRun:
    """
    The findings of the run before.

    :param run_at: its date, as text.
    :param differences: (key, comparison) -> messages.
    """

    run_at: str
    differences: Mapping[tuple[str, str], int]

    def status(self, finding: Finding) -> str:
        """``new``, ``growing from 12``, ``shrinking from 12`` or ``same as before``."""
        before = self.differences.get(_identity(finding))
        if before is None or (before > 0) != (finding.difference > 0):
            return "new"
        if abs(finding.difference) == abs(before):
            return "same as before"
        return f"{'growing' if abs(finding.difference) > abs(before) else 'shrinking'} from {abs(before):,}"

    def is_news(self, finding: Finding) -> bool:
        """Whether a finding is new or has grown."""
        return self.status(finding).startswith(("new", "growing"))

    def recovered(self, findings: Iterable[Finding]) -> list[str]:
        """Keys that the run before found and this one does not, the worst first."""
        found = {_identity(finding)[0] for finding in findings}
        return list(dict.fromkeys(key for key, _ in self.differences if key not in found))


def exchange_findings(
    connection: Any, placeholder: str, dag_id: str, task_id: str, run_at: str, findings: Sequence[Finding]
) -> EarlierRun | None:
    """
    Keep the findings of a run, in place of what the same run kept before, and return those of the run before it.

    Creates the table ``agari_discrepancies`` and commits.

    :param connection: DB-API connection.
    :param placeholder: the driver's, ``%s`` or ``?``.
    :param run_at: date of the run, as text that sorts.
    :return: ``None`` when there is no run before.
    """
    sql = _Statements(placeholder)
    with closing(connection.cursor()) as cursor:
        cursor.execute(CREATE_TABLE)
        cursor.execute(sql.delete_run, (dag_id, task_id, run_at))
        rows: list[tuple[Any, ...]] = [(dag_id, task_id, run_at, 0, None, None, None)]
        for place, finding in enumerate(findings[:KEPT_FINDINGS], start=1):
            rows.append((dag_id, task_id, run_at, place, *_identity(finding), finding.difference))
        cursor.executemany(sql.insert, rows)
        cursor.execute(sql.date_before, (dag_id, task_id, run_at))
        (earlier,) = cursor.fetchone()
        differences: dict[tuple[str, str], int] = {}
        if earlier is not None:
            cursor.execute(sql.findings, (dag_id, task_id, earlier))
            differences = {(key, comparison): int(difference) for key, comparison, difference in cursor.fetchall()}
    connection.commit()
    return EarlierRun(earlier, differences) if earlier is not None else None


class _Statements:
    def __init__(self, placeholder: str) -> None:
        run = f"dag_id = {placeholder} AND task_id = {placeholder} AND run_at"
        self.delete_run = f"DELETE FROM agari_discrepancies WHERE {run} = {placeholder}"  # noqa: S608
        self.insert = f"INSERT INTO agari_discrepancies VALUES ({', '.join([placeholder] * 7)})"  # noqa: S608
        self.date_before = f"SELECT MAX(run_at) FROM agari_discrepancies WHERE {run} < {placeholder}"  # noqa: S608
        self.findings = (
            "SELECT discrepant_key, comparison, difference FROM agari_discrepancies"  # noqa: S608
            f" WHERE {run} = {placeholder} AND place > 0 ORDER BY place"
        )


def _identity(finding: Finding) -> tuple[str, str]:
    return finding.key[:250], finding.comparison[:250]  # as long as the columns
