"""The findings of the run before, so that a report can tell which of its own findings are new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.discrepancy.findings import Finding

KEPT_FINDINGS = 1000  # the largest of a run; if there are more, comparing every one would tell nothing more

# Row 0 is the run itself, since a run may have no findings. The other rows are its findings, the largest first.
# The longest primary key that MySQL allows with utf8mb4 is 768 characters.
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
_OF_TASK = "FROM agari_discrepancies WHERE dag_id = ? AND task_id = ? AND run_at"
DELETE_RUN = f"DELETE {_OF_TASK} = ?"
INSERT = "INSERT INTO agari_discrepancies VALUES (?, ?, ?, ?, ?, ?, ?)"
DATE_BEFORE = f"SELECT MAX(run_at) {_OF_TASK} < ?"
FINDINGS = f"SELECT discrepant_key, comparison, difference {_OF_TASK} = ? AND place > 0 ORDER BY place"


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
        """Whether a finding is new, or larger than in the run before."""
        return self.status(finding).startswith(("new", "growing"))

    def recovered(self, findings: Iterable[Finding]) -> list[str]:
        """Return the keys that only the run before has findings for, the worst first."""
        found = {_identity(finding)[0] for finding in findings}
        return list(dict.fromkeys(key for key, _ in self.differences if key not in found))


def exchange_findings(
    connection: Any, placeholder: str, dag_id: str, task_id: str, run_at: str, findings: Sequence[Finding]
) -> EarlierRun | None:
    """
    Store the findings of a run, and return those of the run before it.

    If the same run stored findings already, they are replaced. The table ``agari_discrepancies`` is created if it does
    not exist. Commits.

    :param connection: DB-API connection.
    :param placeholder: the driver's placeholder for a parameter, ``%s`` or ``?``.
    :param run_at: date of the run, as text whose order is the order of time.
    :return: ``None`` if no earlier run of this task is stored.
    """
    from airflow_agari_provider.databases.statements import execute, query, with_placeholders

    run = (dag_id, task_id, run_at)
    rows: list[tuple[Any, ...]] = [(*run, 0, None, None, None)]
    rows += [
        (*run, place, *_identity(finding), finding.difference)
        for place, finding in enumerate(findings[:KEPT_FINDINGS], start=1)
    ]
    execute(connection, CREATE_TABLE)
    execute(connection, with_placeholders(DELETE_RUN, placeholder), run)
    with closing(connection.cursor()) as cursor:
        cursor.executemany(with_placeholders(INSERT, placeholder), rows)
    ((earlier,),) = query(connection, with_placeholders(DATE_BEFORE, placeholder), run)
    found = []
    if earlier is not None:
        found = query(connection, with_placeholders(FINDINGS, placeholder), (dag_id, task_id, earlier))
    connection.commit()
    if earlier is None:
        return None
    return EarlierRun(earlier, {(key, comparison): int(difference) for key, comparison, difference in found})


def _identity(finding: Finding) -> tuple[str, str]:
    return finding.key[:250], finding.comparison[:250]  # the length of the columns
