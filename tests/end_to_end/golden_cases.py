"""
What has to happen for every golden case of the charts, and what they then have to show, written by hand.

The DAGs are in ``golden_dags.py``; nothing here calls the charts' own code.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW, AIRFLOW_3, AirflowApi, AirflowHome
from airflow_agari_provider.local.processes import Processes

GOLDEN_FILE = Path(__file__).with_name("golden_dags.py")
DAG_IDS = ("golden", "cut_off", "halfway", "by_hand", "rewritten", "daily", "told")


@dataclass(frozen=True)
class Tried:
    """
    A try as the charts show it.

    :param run: seconds that the DAG file sleeps: the least that it ran.
    :param most: seconds that it may have run; by default two minutes more, for a machine that has a lot to do.
    :param idle: least seconds between the end of the try before and the scheduling of this one.
    :param deferred: least seconds that it waited without a worker; None: that is unknown.
    :param end_unknown: Airflow did not record when it ended.
    """

    number: int
    outcome: str
    run: float
    most: float | None = None
    idle: float = 0
    deferred: float | None = 0
    instances: int = 1
    last: bool = True
    end_unknown: bool = False


@dataclass(frozen=True)
class Case:
    """
    :param task: all its tries, in all runs of the DAG, in their order.
    :param rows: what Airflow keeps of it (and what the case is about): table, try, state.
    """

    dag_id: str
    task: str
    rows: tuple[str, ...]
    tries: tuple[Tried, ...]


FAILED = Tried(1, "failed_first", 5)
RUN_OF_DEFERRED = Tried(1, "success", 6, deferred=20) if AIRFLOW_3 else Tried(1, "success", 26, deferred=None)
FAILURE_OF_DEFERRED = replace(RUN_OF_DEFERRED, outcome="failed_first")
LONG = 600  # seconds; longer than any of it takes
CASES = {
    "retry": Case(
        "golden",
        "retried",
        ("history 1 failed", "instance 2 success"),
        (Tried(1, "failed_first", 5, last=False), Tried(2, "success", 5, idle=5)),
    ),
    "success that was cleared": Case(
        "golden",
        "cleared",
        ("history 1 success", "instance 2 success"),
        (Tried(1, "superseded", 5, last=False), Tried(2, "success", 5)),
    ),
    "mapped": Case(
        "golden",
        "mapped",
        ("history 1 failed", "instance 1 success", "instance 2 success"),
        (
            Tried(1, "failed_first", 5, last=False),
            Tried(1, "success", 5),
            Tried(2, "success", 5, idle=5),
        ),
    ),
    "empty": Case("golden", "empty", ("instance 1 success",), (Tried(1, "success", 0, most=0),)),
    "deferred": Case("golden", "deferred", ("instance 1 success",), (RUN_OF_DEFERRED,)),
    "end_from_trigger": Case(
        "golden",
        "ends_in_trigger",
        ("instance 1 success",),
        (Tried(1, "success", 3, deferred=6) if AIRFLOW_3 else Tried(1, "success", 9, deferred=None),),
    ),
    "start_from_trigger": Case(
        "golden", "begins_in_trigger", ("instance 1 success",), (Tried(1, "success", 9, deferred=None),)
    ),
    "start_from_trigger and end_from_trigger": Case(
        "golden", "never_on_worker", ("instance 1 success",), (Tried(1, "success", 6, deferred=None),)
    ),
    # it works for five seconds or longer, and is shown up to the end of its run
    "dagrun_timeout": Case(
        "cut_off", "cut_off", ("instance 1 skipped",), (Tried(1, "failed_first", 1, end_unknown=True),)
    ),
    "rescheduled sensor": Case(
        "golden", "rescheduled", ("instance 1 success",), (Tried(1, "success", 6, deferred=15),)
    ),
    "sensor between two looks": Case(
        "halfway", "looks", ("instance 1 up_for_reschedule",), (Tried(1, "deferred", 2, deferred=1),)
    ),
    "task in the triggerer": Case(
        "by_hand",
        "deferred",
        ("instance 1 deferred",),
        (Tried(1, "deferred", 3, deferred=1) if AIRFLOW_3 else Tried(1, "deferred", 3, LONG, deferred=None),),
    ),
    "failure after it was deferred": Case("by_hand", "deferred_fails", ("instance 1 failed",), (FAILURE_OF_DEFERRED,)),
    "mapped, of which some run": Case(
        "halfway",
        "mapped",
        ("instance 1 running", "instance 1 running", "instance 1 success", "instance 1 success"),
        (Tried(1, "running", 10, most=2 * LONG, instances=2), Tried(1, "success", 10, instances=2)),
    ),
    "waiting for its retry, next to a mapped task": Case(
        "halfway", "waits_for_retry", ("history 1 failed", "instance 1 up_for_retry"), (FAILED,)
    ),
    "waiting for its retry": Case(
        "by_hand", "waits_for_retry", ("history 1 failed", "instance 1 up_for_retry"), (FAILED,)
    ),
    "marked as success": Case("by_hand", "marked_success", ("history 1 failed", "instance 1 success"), (FAILED,)),
    "marked as failed": Case("by_hand", "marked_failed", ("history 1 failed", "instance 1 failed"), (FAILED,)),
    "failed for good, then marked as success": Case(
        "by_hand", "forgiven", ("instance 1 success",), (Tried(1, "success", 5),)
    ),
    "cleared, and scheduled with the times of the try before": Case(
        "by_hand", "cleared", ("history 1 success", "instance 2 scheduled"), (Tried(1, "superseded", 5),)
    ),
    "cleared, and not scheduled yet": Case(
        "by_hand", "cleared_after", ("history 1 success", "instance 1 None"), (Tried(1, "superseded", 5),)
    ),
    "retry that is scheduled with the times of the try before": Case(
        "by_hand", "retried", ("history 1 failed", "instance 2 scheduled"), (Tried(1, "failed_first", 5, most=LONG),)
    ),
    "removed task, in a run that had ended and in one that had not": Case(
        "rewritten",
        "gone",
        ("instance 1 removed", "instance 1 success"),
        (Tried(1, "success", 5), Tried(1, "removed", 5)),
    ),
    "removed task that had not begun in the second run": Case(
        "rewritten", "gone_before_it_began", ("instance 0 removed", "instance 1 success"), (Tried(1, "success", 5),)
    ),
    "backfill": Case("daily", "load", ("instance 1 success",) * 4, (Tried(1, "success", 5),) * 4),
    "no logical date": Case("told", "load", ("instance 1 success",) * 2, (Tried(1, "success", 5),) * 2),
}
# Of the day at which the daily DAG runs (UTC): half a day from now, so that none of its runs starts during the tests
HOUR = (datetime.now(UTC).hour + 12) % 24
JANUARY = [datetime(2026, 1, day, HOUR, tzinfo=UTC).timestamp() for day in (1, 2, 3)]
# DAG: type of each run in the order of the charts, and its logical date; ...: one that depends on when the test runs
RUNS = {
    "daily": [*(("backfill", date) for date in JANUARY), ("scheduled", ...)],
    # 2.11 gives every run a logical date: to one that was triggered the moment of that
    "told": [("manual", None), ("asset_triggered", None)]
    if AIRFLOW_3
    else [("manual", ...), ("dataset_triggered", ...)],
}
# DAG: failed tries, task instances that failed for good, task instances that run, are queued or are in the triggerer
OVERVIEW = {
    "golden": (2, 0, 0),
    "cut_off": (1, 1, 0),
    "halfway": (1, 0, 2),
    "by_hand": (5, 2, 1),
    "rewritten": (0, 0, 1),
    "daily": (0, 0, 0),
    "told": (0, 0, 0),
}


def wait_for(done: Callable[[], object], what: str, seconds: float = 420) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(0.5)


class Story:
    """What people do in that Airflow, and what it makes of it, until each case is there to be looked at."""

    def __init__(self, home: AirflowHome, processes: Processes) -> None:
        self.home, self.processes = home, processes
        self.api = AirflowApi(home)

    def backfill(self) -> None:
        """Before anything else runs: SQLite refuses Airflow 3's command while another process writes."""
        first, last = "2026-01-01", "2026-01-03T23:00:00"
        if AIRFLOW_3:
            self.run("dags", "reserialize")
            self.run("backfill", "create", "--dag-id", "daily", "--from-date", first, "--to-date", last)
        else:
            self.run("dags", "backfill", "--start-date", first, "--end-date", last, "daily")

    def run(self, *command: str) -> None:
        self.processes.run("-".join(command[:2]), [*AIRFLOW, *command], self.home.environment())

    def begin(self) -> None:
        """What takes longest; returns at once."""
        self.call("POST", "pools", {"name": "gate", "slots": 8})
        for dag_id in ("cut_off", "golden", "by_hand", "told"):  # the last is told by the second
            self.unpause(dag_id)
        self.trigger("cut_off")
        self.golden = self.trigger("golden")
        self.by_hand = self.trigger("by_hand")
        self.trigger("told")

    def go_on(self) -> None:
        """The other runs; then clear, mark, remove. Returns when everything is as the cases want it."""
        for dag_id in ("daily", "halfway", "rewritten"):
            self.unpause(dag_id)
        self.halfway = self.trigger("halfway")
        ended = self.trigger("rewritten")
        self.trigger("rewritten", until="end")
        folder = self.home.dags
        wait_for(lambda: self.api.run_state("rewritten", ended) == "success", "the end of the first run")
        self.until("rewritten", "gone", "instance 1 success", "instance 1 success")
        self.until("rewritten", "gone_before_it_began", "instance 0 None", "instance 1 success")
        lines = GOLDEN_FILE.read_text().splitlines(keepends=True)
        new = folder / "golden_dags.new"
        new.write_text("".join(line for line in lines if "until the file is rewritten" not in line))
        new.rename(folder / GOLDEN_FILE.name)

        self.until("by_hand", "forgiven", "instance 1 failed")
        self.mark("by_hand", self.by_hand, "forgiven", "success")
        for dag_id, run_id, task, state in (
            ("by_hand", self.by_hand, "marked_success", "success"),
            ("by_hand", self.by_hand, "marked_failed", "failed"),
        ):
            self.until(dag_id, task, "history 1 failed", "instance 1 up_for_retry")
            self.mark(dag_id, run_id, task, state)

        self.until("by_hand", "cleared_after", "instance 1 success")
        closed = {"pool" if AIRFLOW_3 else "name": "gate", "slots": 0, "include_deferred": False}
        self.call("PATCH", "pools/gate?update_mask=slots", closed)
        self.api.clear("by_hand", self.by_hand, ["cleared"])
        (folder / "gate-closed").touch()

        wait_for(lambda: self.api.run_state("golden", self.golden) == "success", "the golden run's success")
        self.api.clear("golden", self.golden, ["cleared"], downstream=False)
        for case in CASES.values():
            self.until(case.dag_id, case.task, *case.rows)
        self.mapped = [
            (
                one["state"],
                *(
                    datetime.fromisoformat(one[name]).timestamp() if one[name] else None
                    for name in ("start_date", "end_date")
                ),
            )
            for one in self.api.task_instances("halfway", self.halfway)
            if one["task_id"] == "mapped"
        ]

    def end(self) -> None:
        """Let what runs end."""
        (self.home.dags / "end").touch()

    def unpause(self, dag_id: str) -> None:
        wait_for(lambda: self.api.knows(dag_id), dag_id)
        self.api.unpause(dag_id)

    def trigger(self, dag_id: str, **conf: str) -> str:
        """A run without a given date: on Airflow 3 it has no logical date."""
        body = {"conf": conf, **({"logical_date": None} if AIRFLOW_3 else {})}
        return str(self.call("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def mark(self, dag_id: str, run_id: str, task: str, state: str) -> None:
        path = f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task}"
        self.call("PATCH", path, {"new_state": state, **({} if AIRFLOW_3 else {"dry_run": False})})

    def call(self, method: str, path: str, body: Any) -> Any:
        return self.api._call(method, path, body)

    def until(self, dag_id: str, task: str, *rows: str) -> None:
        """Wait until this is what Airflow keeps of the task."""
        deadline = time.monotonic() + 240
        while (found := self.rows(dag_id, task)) != sorted(rows):
            assert time.monotonic() < deadline, f"Airflow keeps of {dag_id}.{task}: {found}, and never {sorted(rows)}"
            time.sleep(0.5)

    def rows(self, dag_id: str, task: str) -> list[str]:
        """Table, try and state of each row."""
        with closing(sqlite3.connect(f"{self.home.folder}/airflow.db", timeout=60)) as database:
            return sorted(
                f"{table} {number} {state}"
                for table, name in (("history", "task_instance_history"), ("instance", "task_instance"))
                for number, state in database.execute(
                    f"SELECT try_number, state FROM {name} WHERE dag_id = ? AND task_id = ?", (dag_id, task)
                )
            )
