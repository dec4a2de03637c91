"""Which tasks are late, why, and which tasks block them: rules about the states of a run's tasks."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from airflow_agari_provider.alerts.miss import Standing, TaskInState

DONE = frozenset({"success", "skipped", "removed"})
FAILED = frozenset({"failed", "upstream_failed"})
# Running tasks come first, then tasks that wait only for their turn; the last ones have not begun.
_ORDER = (
    "running", "deferred", "restarting", "up_for_retry", "up_for_reschedule", "awaiting_input", "queued", "scheduled",
)  # fmt: skip


def tasks_in_states(
    states: Mapping[str, str | None], mapped: Collection[str], others: Collection[str] = ()
) -> list[TaskInState]:
    """
    Read the task instances from Airflow 3's answer, which joins a mapped task's id and its index by ``_``.

    :param mapped: ids of the mapped tasks.
    :param others: ids of tasks that look like an index of a mapped task, and are not.
    """
    found = []
    for key, state in states.items():
        task_id, _, index = key.rpartition("_")
        if key not in others and task_id in mapped and re.fullmatch(r"\d+", index):
            found.append(TaskInState(task_id, state, int(index)))
        else:
            found.append(TaskInState(key, state))
    return found


def is_late(tasks: Iterable[TaskInState], run_state: str, task_id: str | None) -> bool:
    """Whether a task (any index of it) is not done yet; without a task id, whether the run is not."""
    if task_id is None:
        return run_state != "success"
    own = [task for task in tasks if task.task_id == task_id]
    return not own or any(task.state not in DONE for task in own)


def standing_of(tasks: Iterable[TaskInState], run_state: str, task_id: str | None) -> Standing:
    """Whether it is only late, has failed, or can no longer finish because a task before it failed."""
    if task_id is None:
        return "failed" if run_state == "failed" else "late"
    own = {task.state for task in tasks if task.task_id == task_id}
    if "failed" in own:
        return "failed"
    return "failed and therefore late" if "upstream_failed" in own or run_state == "failed" else "late"


def is_reported_elsewhere(
    tasks: Sequence[TaskInState],
    run_state: str,
    task_id: str | None,
    later: Collection[str | None],
    earlier: Collection[str | None],
    reported: Callable[[], Collection[str | None]],
) -> bool:
    """
    Whether one failure would be reported twice: this task is late because of it, and another SLA reports it.

    Only what this task waits for, or a run that has failed, can be the cause; an unrelated failure is not.

    :param later: of the tasks that it waits for, those whose own SLA is not over before this one: it will be reported.
        ``None`` among them stands for the run.
    :param earlier: those whose own SLA is over before. It was in time then, if it failed only afterwards: that is why
        it counts only if it was reported.
    :param reported: asks which tasks of the run were reported and have not recovered; it is called only if that
        matters.
    """
    if standing_of(tasks, run_state, task_id) != "failed and therefore late":
        return False
    failed: set[str | None] = {task.task_id for task in tasks if task.state == "failed"}
    if run_state == "failed":
        failed.add(None)
    if failed & set(later):
        return True
    causes = failed & set(earlier)
    return bool(causes) and bool(causes & set(reported()))


def blocking_tasks(tasks: Iterable[TaskInState], upstream: Collection[str] | None) -> tuple[TaskInState, ...]:
    """
    The blocking tasks: those at work; if none, those that failed; if none, those that have not begun.

    :param upstream: ids of the tasks that the late one depends on, and its own id; ``None`` for all of the run.
    """
    there = [task for task in tasks if (upstream is None or task.task_id in upstream) and task.state not in DONE]
    at_work = [task for task in there if task.state in _ORDER]
    failed = [task for task in there if task.state in FAILED]
    return tuple(sorted(at_work or failed or there, key=_urgency))


def _urgency(task: TaskInState) -> tuple[int, int, float, str, int]:
    place = _ORDER.index(task.state) if task.state in _ORDER else len(_ORDER)
    began = task.since.timestamp() if task.since else float("inf")
    return place, 0 if task.state == "failed" else 1, began, task.task_id, task.map_index  # the longest first
