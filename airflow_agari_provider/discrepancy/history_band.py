"""How many messages were usual in each stored run, for a chart: by the rule of ``Expected``, which judges the runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from airflow_agari_provider.discrepancy.baseline import Same
from airflow_agari_provider.discrepancy.expected_volume import Expected, Volumes
from airflow_agari_provider.discrepancy.past_runs import moment_of, of_one_series
from airflow_agari_provider.discrepancy.stored_run import StoredRun, stored_key

# Of a check that judges no volume: the hour of the week needs a month of runs, so the others help out before.
HOURS: Sequence[Same] = ("hour_of_week", "hour_of_day", "any")


def volume_bands(runs: Sequence[StoredRun], stage: str, wanted: Collection[str]) -> dict[str, tuple[int, int]]:
    """
    Return from how many to how many messages were usual at a stage, by the date of the run.

    That is what the check itself judged by. For runs that it did not judge, it is what ``Expected(stage)`` would have
    said from the stored runs of earlier windows.

    :param runs: all stored ones.
    :param wanted: dates of the runs that are asked for; one of which too little is known is not in the answer.
    """
    bands: dict[str, tuple[int, int]] = {}
    dated = [run for run in runs if _is_dated(run)]
    for series in {run.series for run in dated}:
        bands |= _bands([run for run in dated if run.series == series], stage, wanted)
    judged = {run.run_at: run.usual[stage] for run in runs if stage in run.usual and run.run_at in wanted}
    return bands | judged


def _is_dated(run: StoredRun) -> bool:
    try:
        moment_of(run)
    except ValueError:  # a row that somebody else has written
        return False
    return True


def _bands(runs: Iterable[StoredRun], stage: str, wanted: Collection[str]) -> dict[str, tuple[int, int]]:
    bands: dict[str, tuple[int, int]] = {}
    moments: dict[datetime, list[str]] = {}
    for run in runs:
        moments.setdefault(moment_of(run), []).append(run.run_at)
    learnt = [Volumes(Expected(stage, same=same)) for same in HOURS]
    for moment, run in sorted(of_one_series(runs).items()):
        asked = [run_at for run_at in moments[moment] if run_at in wanted]
        band = next(filter(None, (volumes.band(moment) for volumes in learnt)), None) if asked else None
        if band:
            bands |= dict.fromkeys(asked, (band.low, band.high))
        if stage in run.totals and _teaches(run, Expected(stage).name):
            for volumes in learnt:
                volumes.add(moment, run.totals[stage])
    return bands


def _teaches(run: StoredRun, name: str) -> bool:
    """As for the judgement: an unusual run teaches nothing, unless a person has accepted its window."""
    told = {each.comparison for each in run.differences if not each.key and each.severity in ("alarm", "warn")}
    return run.accepted or stored_key(name) not in told
