"""The history of one check: stores its runs, and answers within a limited time, or says that it cannot."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import nlargest
from typing import Any, TypeVar

from airflow_agari_provider.alerts.threads import Patience
from airflow_agari_provider.discrepancy.comparisons import Tolerance
from airflow_agari_provider.discrepancy.distribution import kept_buckets
from airflow_agari_provider.discrepancy.finding import Finding
from airflow_agari_provider.discrepancy.history import GROWTH, LOG, REMEMBERED_RUNS, Past, identity
from airflow_agari_provider.discrepancy.history_database import HistoryDatabase, HistoryUnavailable, usual_patience
from airflow_agari_provider.discrepancy.history_tables import HistoryRows
from airflow_agari_provider.discrepancy.past_runs import past_runs
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.stored_run import (
    Difference,
    PastRun,
    StoredRun,
    Telling,
    check_id,
    stored_key,
)
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.exceptions import cut

logger = logging.getLogger(__name__)

KEPT_RUNS = 400  # about two weeks of hourly windows
LARGEST_KEYS = 20  # of which every run stores its counts, also if nothing is wrong with them
COUNTS_CHARACTERS = 1000

Result = TypeVar("Result")


@dataclass
class CheckHistory:
    """
    The history of one check.

    :param connect: opens a DB-API connection.
    :param placeholder: of a value in SQL, as the connection's hook has it.
    :param task: task id, with its index if it is mapped.
    :param kept_runs: older ones are deleted.
    :param growth: how much larger a difference may be and still be the same.
    :param accepted: windows whose loss a person has accepted.
    :param series: what is usual is learnt only from runs with the same text.
    :param largest_keys: of which every run stores its counts, also if nothing is wrong with them.
    """

    connect: Callable[[], Any]
    placeholder: str
    dag_id: str
    task: str
    kept_runs: int = KEPT_RUNS
    growth: Tolerance = GROWTH
    accepted: Collection[str] = ()
    series: str = ""
    largest_keys: int = LARGEST_KEYS
    patience: Patience | None = None

    def past_runs(self, moment: datetime, names: Sequence[str], with_keys: bool, with_shares: bool) -> list[PastRun]:
        """
        Return what the runs of earlier windows counted, the oldest first; of a window that was checked twice, the last.

        :param moment: the time that this run is about.
        :param names: comparisons that look for what is unusual.
        :raises HistoryUnavailable: the history cannot be read.
        """
        return self._use(
            lambda rows: past_runs(rows, self._check, moment, stored_key(self.series), names, with_keys, with_shares)
        )

    def exchange(self, run_at: str, run_id: str, report: DiscrepancyReport) -> tuple[Past, str]:
        """
        Store a run, and return all runs with it, and why it could not be stored, if it could not.

        :raises HistoryUnavailable: the history cannot be read.
        """
        runs = self._use(lambda rows: self._read(rows, run_at, bool(report.shares)))
        before = next((run for run in runs if run.run_at == run_at), None)
        run = StoredRun(
            run_at,
            run_id,
            report.window,
            report.verdict,
            time.time(),
            len(report.table.every_key),
            report.alarms if report.alarms is not None else len(report.alarming),
            report.discrepant,
            report.report_url or "",
            {stage: sum(report.table.column(stage)) for stage in report.table.counts},
            tellings=before.tellings if before else {},
            shares={name: kept_buckets(counts) for name, counts in report.shares.items()},
            series=self.series,
            usual=report.usual,
            accepted=self._is_accepted(report.window),
        )
        others = [other for other in runs if other.run_at != run_at]
        past = Past(sorted([run, *others], key=lambda each: each.run_at, reverse=True), run, self.growth, self.accepted)
        run = replace(run, differences=_differences(report, past, self.largest_keys))
        try:
            self._use(lambda rows: self._write(rows, run, others))
        except HistoryUnavailable as error:
            return past, str(error)
        return past, ""

    def tell(self, run_ats: Iterable[str], channel: str, kind: str, digest: str) -> None:
        """
        Store what a channel was told of some runs. An error is logged: the channel is then told again.

        :param kind: as in :class:`~airflow_agari_provider.discrepancy.history_tables.Telling`.
        """
        dates = list(run_ats)
        telling = Telling(kind, digest, time.time())
        try:
            self._use(lambda rows: rows.tell(self._check, dates, channel, telling))
        except HistoryUnavailable as error:
            logger.error("It is not recorded that %s was told, so a retry may tell it again. %s", channel, error)

    def _write(self, rows: HistoryRows, run: StoredRun, others: Sequence[StoredRun]) -> None:
        rows.write(self._check, self.dag_id, self.task, run, self.kept_runs)
        for accepted in (True, False):  # the page of the discrepancies does not know the check's arguments
            changed = [other for other in others if accepted == self._is_accepted(other.window) != other.accepted]
            rows.accept(self._check, [other.run_at for other in changed], accepted)

    def _is_accepted(self, window: str) -> bool:
        return stored_key(window) in {stored_key(accepted) for accepted in self.accepted}

    def _read(self, rows: HistoryRows, run_at: str, with_shares: bool) -> list[StoredRun]:
        rows.create(with_shares)
        check = self._check
        runs = rows.runs(check)
        if not runs:
            return rows.take_over(self.dag_id, self.task)
        remembered = [run.run_at for run in runs if run.run_at < run_at][:REMEMBERED_RUNS]
        if not remembered:
            return runs
        found = rows.differences(check, remembered[-1], remembered[0])
        return [replace(run, differences=found.get(run.run_at, ())) for run in runs]

    @property
    def _check(self) -> str:
        return check_id(self.dag_id, self.task)

    def _use(self, work: Callable[[HistoryRows], Result]) -> Result:
        if self.patience is None:
            self.patience = usual_patience()
        database = HistoryDatabase(self.connect, self.placeholder, self.patience)
        return database.use(lambda dialect, connection: work(HistoryRows(dialect, connection)))


def digest_of(report: DiscrepancyReport, generation: int) -> str:
    """
    Return a text that is the same for attempts that have the same to tell.

    :param generation: another one after a person cleared the task, who then wants to hear of it again.
    """
    told = [str(generation), report.verdict, *(finding.what for finding in report.findings)]
    return hashlib.sha256("\n".join(told).encode(errors="backslashreplace")).hexdigest()


def _differences(report: DiscrepancyReport, past: Past, largest_keys: int) -> list[Difference]:
    """Return what to store about keys: the findings, what has recovered, and the largest keys."""
    found = [_difference(report.table, finding) for finding in report.findings]
    earlier = past.earlier(LOG)
    gone = earlier.recovered(report.findings, report.has_messages) if earlier else []
    table = report.table
    column = table.column(next(iter(table.counts)))
    largest = nlargest(largest_keys, range(len(column)), key=column.__getitem__)
    return [
        *found,
        *(each._replace(severity="recovered") for each in gone),
        *(
            Difference(stored_key(key), "", 0, column[place], "none", _counts(table, key))
            for place in largest
            for key in [table.every_key[place]]
        ),
    ]


def _difference(table: DiscrepancyTable, finding: Finding) -> Difference:
    key, comparison, _ = identity(finding)
    counts = _counts(table, finding.key) if finding.key else ""
    step = map(stored_key, finding.first_step if finding.difference else ("", ""))
    return Difference(key, comparison, finding.difference, finding.percent_of, finding.level, counts, *step)


def _counts(table: DiscrepancyTable, key: str) -> str:
    return cut(json.dumps(table.counts_of(key)), COUNTS_CHARACTERS)
