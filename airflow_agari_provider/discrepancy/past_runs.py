"""What the earlier runs of a check counted, read from its history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from airflow_agari_provider.discrepancy.baseline import moment_of_window
from airflow_agari_provider.discrepancy.history_tables import KEYS, SHARES, STAGES, HistoryRows
from airflow_agari_provider.discrepancy.stored_run import PastRun, StoredRun, read_counts


def past_runs(
    rows: HistoryRows,
    check: str,
    moment: datetime,
    series: str,
    names: Sequence[str],
    with_keys: bool,
    with_shares: bool,
) -> list[PastRun]:
    """
    Return what the runs of earlier windows counted, the oldest first; of a window that was checked twice, the last.

    :param moment: the time that the run is about which is to be compared with them.
    :param series: only of runs with the same.
    :param names: comparisons that look for what is unusual.
    """
    rows.create(with_shares)
    last = of_one_series(run for run in rows.runs(check) if moment_of(run) < moment and run.series == series)
    totals, unusual = _totals(rows, check), _found_by(rows, check, names)
    keys = _largest_keys(rows, check) if with_keys else {}
    shares = _shares(rows, check) if with_shares else {}
    return [
        PastRun(
            about,
            run.window,
            totals.get(run.run_at, {}),
            keys.get(run.run_at, {}),
            len(keys.get(run.run_at, {})) >= run.keys,
            shares.get(run.run_at, {}),
            unusual.get(run.run_at, ()),
        )
        for about, run in sorted(last.items())
    ]


def of_one_series(runs: Iterable[StoredRun]) -> dict[datetime, StoredRun]:
    """Return the runs by the time that they are about; of a window that was checked twice, the last."""
    return {moment_of(run): run for run in sorted(runs, key=lambda run: run.checked_at)}


def moment_of(run: StoredRun) -> datetime:
    """Return the time that a run is about."""
    return moment_of_window(run.window, run.run_at)


def _totals(rows: HistoryRows, check: str) -> dict[str, dict[str, int]]:
    """Return the total of each stage, by the date of the run."""
    found: dict[str, dict[str, int]] = {}
    for run_at, stage, total in rows.select(f"SELECT run_at, stage, total FROM {STAGES} WHERE check_id = ?", check):  # noqa: S608
        found.setdefault(run_at, {})[stage] = int(total)
    return found


def _largest_keys(rows: HistoryRows, check: str) -> dict[str, dict[str, dict[str, int]]]:
    """Return the counts by stage of each run's largest keys, by the date of the run."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for run_at, key, counts in rows.select(
        f"SELECT run_at, discrepant_key, counts FROM {KEYS} WHERE check_id = ? AND severity = 'none'",  # noqa: S608
        check,
    ):
        found.setdefault(run_at, {})[key or ""] = read_counts(counts or "") or {}
    return found


def _found_by(rows: HistoryRows, check: str, comparisons: Sequence[str]) -> dict[str, set[tuple[str, str]]]:
    """Return key and comparison of what some comparisons have found, by the date of the run."""
    found: dict[str, set[tuple[str, str]]] = {}
    for comparison in comparisons:
        for run_at, key in rows.select(
            f"SELECT run_at, discrepant_key FROM {KEYS} "  # noqa: S608
            "WHERE check_id = ? AND comparison = ? AND severity IN ('alarm', 'warn')",
            check,
            comparison,
        ):
            found.setdefault(run_at, set()).add((key or "", comparison))
    return found


def _shares(rows: HistoryRows, check: str) -> dict[str, dict[str, dict[str, int]]]:
    """Return the counts by value of each distribution, by the date of the run."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for run_at, name, bucket, messages in rows.select(
        f"SELECT run_at, distribution, bucket, messages FROM {SHARES} WHERE check_id = ? ORDER BY run_at, place",  # noqa: S608
        check,
    ):
        found.setdefault(run_at, {}).setdefault(name, {})[bucket or ""] = int(messages)
    return found
