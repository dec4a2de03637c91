"""Answers of the charts' server, as its contract has them, for a DAG with a history of our own making."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

NOW = 1_795_168_000  # 2026-11-20 09:46:40 UTC
HOUR = 3600
OUTCOMES = [
    "failed_first", "failed_second", "failed_later", "superseded", "success", "running", "deferred", "skipped",
    "removed",
]  # fmt: skip
NEWEST_RUN = (
    "success", "failed", "upstream_failed", "up_for_retry", "running", "deferred", "queued", "skipped", "waiting",
)  # fmt: skip
TASKS = {  # usual seconds, chance that a try fails
    "prepare": (40, 0.01), "purge_dead_letters": (8, 0.02), "build_model": (180, 0.03), "score_messages": (900, 0.06),
    "summarize_spark": (250, 0.12), "export": (60, 0.03), "wait_for_queue": (120, 0.02), "load": (300, 0.05),
    "check_discrepancy": (20, 0.02), "publish": (15, 0.0), "report": (12, 0.01), "clean_up": (9, 0.03),
}  # fmt: skip
TRY_COLUMNS = (
    "run", "task", "try_number", "outcome", "start", "end", "run_seconds", "idle_seconds", "queued_seconds",
    "deferred_seconds", "instances", "map_index", "last", "counted", "end_unknown",
)  # fmt: skip


def tries_answer(
    runs: int = 100, *, dag_id: str = "scoring", tasks: int = 12, active: bool = True, total: int = 8214
) -> dict[str, Any]:
    """An hourly DAG of which the newest run is still running, unless ``active`` is false."""
    chance = random.Random(7)
    names = [*TASKS, *(f"extra_{index}" for index in range(max(0, tasks - len(TASKS))))][:tasks]
    first = NOW - NOW % HOUR - (runs - 1) * HOUR
    after = [first + index * HOUR for index in range(runs)]
    states = ["success"] * runs
    tries: dict[str, list[Any]] = {column: [] for column in TRY_COLUMNS}
    for run in range(runs):
        if not _run_tries(tries, run, after[run], names, chance, slow=run >= runs * 0.63):
            states[run] = "failed"
    if active:
        states[-1] = "running"
        tries["outcome"][-1] = OUTCOMES.index("running")
        tries["end"][-1] = None
        tries["counted"][-1] = 1
    types = ["scheduled"] * runs
    for index in range(7, runs, 41):
        types[index] = "manual"
    missed = [states[index] == "failed" and index % 2 == 0 for index in range(runs)]
    return {
        "dag_id": dag_id,
        "now": NOW,
        "window": _window(runs, total, after),
        "runs": {
            "run_id": [f"{types[index]}__{_iso(after[index])}" for index in range(runs)],
            "run_after": after,
            "logical_date": [moment if types[index] == "scheduled" else None for index, moment in enumerate(after)],
            "run_type": types,
            "state": states,
            "start": [moment + 4 for moment in after],
            "end": [moment + 2400 if state != "running" else None for moment, state in zip(after, states, strict=True)],
            "deadline": [moment + HOUR for moment in after],
            "deadline_missed": missed,
        },
        "tasks": {
            "task_id": names,
            "operator": ["PythonOperator"] * len(names),
            "mapped": [False] * len(names),
            "sla": [1800 if name == "summarize_spark" else None for name in names],
            "downstream": [[task + 1] if task + 1 < len(names) else [] for task in range(len(names))],
        },
        "outcomes": OUTCOMES,
        "tries": tries,
        "figures": figures(tries, names, before=0.82),
        "task_figures": [
            {"task": task, **_task_figures(tries, task)} for task in range(len(names)) if task in tries["task"]
        ],
        "shifts": [
            {
                "task": 4, "kind": "duration", "run": int(runs * 0.63), "before": 250.0, "after": 420.0,
                "text": f"summarize_spark changed around {_iso(after[int(runs * 0.63)])[:16]}: median 4.2 to 7.0 min",
            }
        ] if runs >= 100 and len(names) > 4 else [],
    }  # fmt: skip


def _run_tries(tries, run, after, names, chance, *, slow: bool) -> bool:
    """Append the tries of one run; false if a task failed for good."""
    clock = after + 4.0
    for task, name in enumerate(names):
        usual, fails = TASKS.get(name, (30, 0.04))
        usual *= 1.7 if slow and name == "summarize_spark" else 1
        if name == "publish" and chance.random() < 0.1:
            _append(tries, run, task, 1, "skipped", clock, 0.3, 0, 1.0, 0)
            continue
        number, idle = 1, 0.0
        while True:
            failed = chance.random() < fails * (1.6 if number > 1 else 1)
            outcome = ("failed_first", "failed_second", "failed_later")[min(number, 3) - 1] if failed else "success"
            seconds = round(usual * chance.uniform(0.75, 1.35) * (chance.uniform(0.2, 1) if failed else 1), 1)
            deferred = round(seconds * 0.8, 1) if name == "wait_for_queue" else 0
            queued = round(chance.uniform(0.5, 9), 1)
            _append(tries, run, task, number, outcome, clock + queued, seconds - deferred, idle, queued, deferred)
            clock += queued + seconds
            if not failed:
                break
            if number == 4:
                tries["last"][-1] = True
                return False
            tries["last"][-1] = False
            number, idle = number + 1, 60.0
            clock += idle
    return True


def _append(tries, run, task, number, outcome, start, seconds, idle, queued, deferred) -> None:
    times = (start, start + seconds + deferred, seconds, idle, queued, deferred)
    row = (run, task, number, OUTCOMES.index(outcome), *times, 1, -1, True, 2, False)
    for column, value in zip(TRY_COLUMNS, row, strict=True):
        tries[column].append(value)


def figures(tries, names, *, before: float | None) -> dict[str, Any]:
    now = {
        "total_seconds": sum(tries["run_seconds"]),
        "lost_seconds": sum(s for s, o in zip(tries["run_seconds"], tries["outcome"], strict=True) if o < 3),
        "idle_seconds": sum(tries["idle_seconds"]),
        "queued_seconds": sum(tries["queued_seconds"]),
        "deferred_seconds": sum(tries["deferred_seconds"]),
        "retry_rate": 0.043,
        "median_seconds": 1980.0,
        "p95_seconds": 2710.0,
    }
    return {**now, "before": {key: value * before for key, value in now.items()} if before else None}


def _task_figures(tries, task: int) -> dict[str, Any]:
    rows = [index for index, of in enumerate(tries["task"]) if of == task]
    seconds = sorted(tries["run_seconds"][index] for index in rows)
    return {
        "tries": len(rows),
        "runs": len({tries["run"][index] for index in rows}),
        "retried_runs": len({tries["run"][index] for index in rows if tries["try_number"][index] > 1}),
        "total_seconds": sum(seconds),
        "lost_seconds": sum(tries["run_seconds"][index] for index in rows if tries["outcome"][index] < 3),
        "idle_seconds": sum(tries["idle_seconds"][index] for index in rows),
        "queued_seconds": sum(tries["queued_seconds"][index] for index in rows),
        "deferred_seconds": sum(tries["deferred_seconds"][index] for index in rows),
        "p50_seconds": seconds[len(seconds) // 2],
        "p95_seconds": seconds[int(len(seconds) * 0.95)],
        "trend_percent": 68.0 if task == 4 else 1.4 if task % 3 else None,
    }


def _window(runs: int, total: int, after: list[int]) -> dict[str, Any]:
    text = (
        f"last {runs:,} of {total:,} runs, {_iso(after[0])[:10]} to {_iso(after[-1])[:10]} (UTC)" if runs else "no runs"
    )
    before, after_last = (f"{after[0]}-7", f"{after[-1]}-{7 + runs}") if runs else (None, None)
    return {
        "shown": runs, "total": total, "first": after[0] if runs else None, "last": after[-1] if runs else None,
        "older": total > runs, "newer": False, "before": before, "after": after_last, "purged_before": None,
        "text": text,
    }  # fmt: skip


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat()


def overview_answer(dags: int = 24, *, days: int = 30) -> dict[str, Any]:
    chance = random.Random(3)
    names = ["scoring", *(f"team_{index % 5}.dag_{index:02}" for index in range(1, dags))]
    ever = [chance.randrange(100, 9000) for _ in names]
    window = [min(runs, chance.randrange(5, 24 * days)) for runs in ever]
    failed = [int(runs * chance.choice([0, 0, 0.01, 0.05])) for runs in window]
    active = [int(index % 7 == 0) for index in range(dags)]
    return {
        "now": NOW, "days": days, "since": NOW - days * 86400, "first_run": NOW - 400 * 86400,
        "dags": {
            "dag_id": names,
            "paused": [index % 9 == 4 for index in range(dags)],
            "owners": [["ada"] if index % 3 else ["bob"] for index in range(dags)],
            "tags": [["hourly"] if index % 2 else ["daily", "scoring"] for index in range(dags)],
            "team": ["data" if index % 2 else None for index in range(dags)],
            "last_state": ["failed" if index % 8 == 5 else "success" for index in range(dags)],
            "last_run": [NOW - chance.randrange(60, 90000) for _ in names],
            "ever": {"success": ever, "failed": [runs // 50 for runs in ever], "running": active, "queued": [0] * dags},
            "window": {"success": window, "failed": failed, "running": active, "queued": [0] * dags},
            "failed_tries": [count * 3 for count in failed],
            "lost_seconds": [count * 412.5 for count in failed],
            "failures": failed,
            "oldest_failed_try": [NOW - 86400 * days + 7200 if count else None for count in failed],
            "active": active,
        },
    }  # fmt: skip


def task_time_answer(dags: int = 24, *, days: int = 30) -> dict[str, Any]:
    names = overview_answer(dags, days=days)["dags"]["dag_id"]
    return {
        "days": days,
        "dags": {
            "dag_id": names,
            "started": [1000 + index for index in range(dags)],
            "retried": [index * 4 for index in range(dags)],
            "total_seconds": [90_000.0 + index * 7000 for index in range(dags)],
            "newest_run": {
                **{state: [0] * dags for state in NEWEST_RUN},
                "success": [9] * dags,
                "failed": [int(index % 8 == 5) for index in range(dags)],
            },
        },
    }


def indexes_answer() -> dict[str, Any]:
    """60 indexes, of which one failed and one was retried."""
    numbers = list(range(60))
    return {
        "now": NOW, "dag_id": "scoring", "run_id": "r", "task_id": "load", "total": 60, "failed": 1, "retried": 1,
        "median_seconds": 30.0, "p95_seconds": 57.0,
        "histogram": {"from_seconds": [0.0, 30.0, 60.0], "indexes": [30, 29, 1]},
        "indexes": {
            "map_index": numbers,
            "label": ["<b>acme</b>" if number == 59 else None for number in numbers],
            "outcome": ["failed_first" if number == 3 else "success" for number in numbers],
            "tries": [2 if number == 5 else 1 for number in numbers],
            "failed_tries": [int(number in (3, 5)) for number in numbers],
            "start": [NOW - 3600.0] * 60,
            "end": [NOW - 3600.0 + number for number in numbers],
            "run_seconds": [float(number + 1) for number in numbers],
            "lost_seconds": [float(number == 3) for number in numbers],
            "waited_seconds": [None if number == 7 else 2.0 for number in numbers],
        },
    }  # fmt: skip


def active_answer() -> dict[str, Any]:
    return {
        "now": NOW, "total": 3, "more": False,
        "tasks": {
            "dag_id": ["scoring"] * 3,
            "run_id": ["r"] * 3,
            "task_id": ["score_messages", "load", "publish"],
            "map_index": [-1, 4, -1],
            "state": ["running", "queued", "running"],
            "try_number": [1] * 3,
            "since": [NOW - 7200.0, NOW - 600.0, NOW - 60.0],
            "median_seconds": [900.0, None, 120.0],
            "p95_seconds": [1200.0, None, 180.0],
            "longer_than_usual": [True, None, False],
            "expected_end": [None, None, NOW + 60.0],
            "pool": ["default_pool", "spark", "default_pool"],
            "queue": ["default"] * 3,
            "executor": [None] * 3,
        },
        "pools": {
            "pool": ["default_pool", "spark"], "slots": [128, 1], "slots_taken": [2, 1], "queued": [0, 1],
            "scheduled": [0, 0],
        },
    }  # fmt: skip


def days_answer() -> dict[str, Any]:
    """Three weeks up to 2026-11-20 without a day, of which one has a failed run and one a failed try."""
    first = NOW - NOW % 86400 - 20 * 86400
    starts = [first + day * 86400 for day in range(21) if day != 10]
    failed, retried = starts.index(first + 5 * 86400), starts.index(first + 19 * 86400)
    counts = {state: [0] * 20 for state in ("success", "failed", "running", "queued")}
    counts |= {"success": [24] * 20, "failed": [int(at == failed) for at in range(20)]}
    tries = [3 if at in (failed, retried) else 0 for at in range(20)]
    return {
        "now": NOW, "dag_id": "scoring", "since": first, "until": NOW, "time_zone": "UTC",
        "days": {
            "date": [_iso(start)[:10] for start in starts],
            "start": starts,
            "end": [start + 86400 for start in starts],
            "runs": counts,
            "failed_tries": tries,
            "lost_seconds": [count * 100.0 for count in tries],
        },
    }  # fmt: skip
