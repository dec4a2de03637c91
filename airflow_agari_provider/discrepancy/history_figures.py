"""What the stored runs of checks say together: how each check stands, which stage is guilty, which keys are worst."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from airflow_agari_provider.discrepancy.history import BAD, last_checks
from airflow_agari_provider.discrepancy.history_reading import CheckRun
from airflow_agari_provider.discrepancy.stored_run import Difference, StoredRun

WARNED = "warning"  # verdict of a run
ACCEPTED = "accepted"  # in place of its verdict: a person has accepted what is wrong
VERDICTS_IN_A_ROW = 30  # of the newest runs, for a picture
_WORST_FIRST = {"alarm": 0, "warn": 1, "recovered": 2}


class CheckFigures(NamedTuple):
    """
    How a check stands.

    :param runs: how many there are.
    :param bad: runs with discrepancies that nobody has accepted.
    :param warned: runs with nothing but warnings.
    :param bad_windows: windows whose last check found discrepancies.
    :param last: the newest run.
    :param verdicts: of the newest runs, the oldest first.
    """

    dag_id: str
    task: str
    runs: int
    bad: int
    warned: int
    bad_windows: int
    last: StoredRun
    verdicts: list[str]

    @property
    def is_problem(self) -> bool:
        """Whether somebody should look: the newest run is not ok, or a window is still bad."""
        return self.bad_windows > 0 or standing(self.last) in (BAD, WARNED)


def standing(run: StoredRun) -> str:
    """Return the verdict of a run, or that a person has accepted it."""
    return ACCEPTED if run.accepted and run.verdict in (BAD, WARNED) else run.verdict


def check_figures(found: Iterable[CheckRun]) -> list[CheckFigures]:
    """
    Return the figures of each check, those with problems first.

    :param found: of each check, the newest run first.
    """
    runs: dict[tuple[str, str], list[StoredRun]] = {}
    for dag_id, task, run in found:
        runs.setdefault((dag_id, task), []).append(run)
    figures = [_figures(dag_id, task, of_check) for (dag_id, task), of_check in runs.items()]
    return sorted(figures, key=lambda each: (-each.bad_windows, not each.is_problem, each.dag_id, each.task))


def _figures(dag_id: str, task: str, runs: Sequence[StoredRun]) -> CheckFigures:
    verdicts = [standing(run) for run in runs]
    newest = verdicts[:VERDICTS_IN_A_ROW][::-1]
    return CheckFigures(
        dag_id, task, len(runs), verdicts.count(BAD), verdicts.count(WARNED), len(bad_windows(runs)), runs[0], newest
    )


def bad_windows(runs: Iterable[StoredRun]) -> list[str]:
    """Return the windows whose last check found discrepancies that nobody has accepted, the oldest first."""
    return sorted(window for window, run in last_checks(runs).items() if standing(run) == BAD)


def first_bad_step(run: StoredRun) -> tuple[str, str]:
    """
    Return the two neighbouring stages, as early as possible, between which messages were lost or gained.

    Alarms decide; without any, warnings do. Two empty texts: nothing was, or it is not known.
    """
    places = {stage: place for place, stage in enumerate(run.totals)}
    for severity in ("alarm", "warn"):
        steps = [(each.good_stage, each.bad_stage) for each in run.differences if each.severity == severity]
        known = [step for step in steps if step[1]]
        if known:
            return min(known, key=lambda step: places.get(step[1], len(places)))
    return "", ""


def worst_keys(runs: Iterable[StoredRun]) -> list[tuple[str, int]]:
    """
    Return all keys with the number of runs in which each alarmed or warned, the worst first.

    Among equals, that with the largest difference comes first, and then that with the most messages.
    """
    found: dict[str, int] = {}
    largest: dict[str, tuple[int, int]] = {}
    for run in runs:
        told = {each.key for each in run.differences if each.severity in ("alarm", "warn")}
        for each in run.differences:
            if each.severity != "recovered" or each.key in told:
                difference, volume = largest.get(each.key, (0, 0))
                largest[each.key] = max(difference, abs(each.difference)), max(volume, each.percent_of)
            found.setdefault(each.key, 0)
        for key in told:
            found[key] += 1
    order = sorted(found, key=lambda key: (-found[key], *(-size for size in largest.get(key, (0, 0))), key))
    return [(key, found[key]) for key in order]


def worst_first(differences: Iterable[Difference]) -> list[Difference]:
    """Return what was stored about keys: alarms before warnings, large before small."""
    return sorted(differences, key=lambda each: (_WORST_FIRST.get(each.severity, 3), -abs(each.difference)))
