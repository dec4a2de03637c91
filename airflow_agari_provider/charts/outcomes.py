"""What became of a try, which tries count, and which say how long a task usually takes."""

from __future__ import annotations

OUTCOMES = (
    "failed_first",
    "failed_second",
    "failed_later",
    "superseded",
    "success",
    "running",
    "deferred",
    "skipped",
    "removed",
)
FAILED = frozenset(OUTCOMES[:3])
UNFINISHED = frozenset({"running", "deferred"})
WAITING_STATES = frozenset({"deferred", "up_for_reschedule", "awaiting_input"})
CURRENT_OUTCOMES = {
    "success": "success",
    "failed": "failed",
    "running": "running",
    "skipped": "skipped",
    "removed": "removed",
    **dict.fromkeys(WAITING_STATES, "deferred"),
}
OLD_OUTCOMES = {"success": "superseded", "skipped": "skipped", "removed": "removed", "upstream_failed": None}
# How a task instance stands now; those that wait have not been scheduled yet.
STANDS = (
    "success",
    "failed",
    "upstream_failed",
    "up_for_retry",
    "running",
    "deferred",
    "queued",
    "skipped",
    "waiting",
)
# Airflow's states; no state, and those that a coming Airflow adds, count as waiting.
STANDS_AS = {
    **{state: state for state in STANDS},
    **dict.fromkeys(WAITING_STATES, "deferred"),
    "restarting": "running",
    "scheduled": "queued",
    "removed": "skipped",
}
# Most tasks with these outcomes never started: they show one moment as their start and their end.
MAY_NOT_HAVE_RUN = frozenset({"skipped", "removed"})
NOT_COUNTED, COUNTED, USUAL = 0, 1, 2


def outcome_of(state: str | None, failures: int, *, old: bool, cut_off: bool = False) -> str | None:
    """
    Return the outcome of a try; None for a state in which the task cannot have run.

    :param failures: number of failed tries before this one.
    :param old: the try is in the history; otherwise it is the newest.
    :param cut_off: it has no end, and its run failed or was cleared. Such a try was running when ``dagrun_timeout``
        ended its run. Airflow calls it skipped, but it ran, and did not get done.
    """
    name = OLD_OUTCOMES.get(state or "", "failed") if old else CURRENT_OUTCOMES.get(state or "")
    if cut_off and name == "skipped":
        name = "failed"
    return OUTCOMES[min(failures, 2)] if name == "failed" else name


def standing(outcome: str, run: float, deferred: float | None, end_unknown: bool) -> int:
    """
    Return in which figures a try is. Bars, sums, medians and the table all go by this.

    ``NOT_COUNTED``: in none, as it never ran. ``COUNTED``: only in sums; it goes on, or nobody knows how long it ran,
    so it says nothing about the usual time of its run. ``USUAL``: in all.

    :param run, deferred: seconds; ``deferred`` is None if unknown.
    """
    if outcome in MAY_NOT_HAVE_RUN and run <= 0:
        return NOT_COUNTED
    return COUNTED if outcome in UNFINISHED or deferred is None or end_unknown else USUAL
