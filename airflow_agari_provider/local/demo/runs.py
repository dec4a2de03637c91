"""The demo's runs of the example DAG: one whose window is the whole day, or 24 of an hour each, several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from airflow_agari_provider.discrepancy.comparisons import default_comparisons
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.report_text import text_report
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.local.demo.airflow_home import AirflowApi, AirflowApiError
from airflow_agari_provider.local.demo.progress import TerminalProgress
from airflow_agari_provider.local.demo.published_day import DAY

DAG_ID = "message_scoring"
MODEL_DAG_ID = "model_building"
REPORT = "report.send_report"
ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}
AT_ONCE = 4  # hourly runs at the same time; each has up to three processes of Airflow at work
FIRST_HOUR = datetime.combine(DAY, time(), UTC)
HOURS = [FIRST_HOUR + timedelta(hours=number) for number in range(24)]


@dataclass
class WholeDay:
    """
    One run, whose window is the whole day.

    :ivar busy: what is going on, for the status line.
    :ivar state: ``success``, or what the run ended with; empty until it has ended.
    :ivar watchers: called with the run's task instances each time they were read.
    """

    api: AirflowApi
    progress: TerminalProgress
    busy: str = ""
    state: str = ""
    verdicts: dict[str, str] = field(default_factory=dict)  # stays empty: see Hourly
    run_id: str = ""
    tasks: list[dict[str, Any]] = field(default_factory=list)
    watchers: list[Callable[[list[dict[str, Any]]], None]] = field(default_factory=list)
    _seen: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """How many parts have ended."""
        return sum(task["state"] in ENDED for task in self.tasks)

    def start(self, conf: Mapping[str, Any]) -> None:
        """Start the run with these parameters."""
        window = {"window_start": FIRST_HOUR.isoformat(), "window_hours": 24}
        self.run_id = self.api.trigger(DAG_ID, FIRST_HOUR.isoformat(), {**conf, **window})
        self.progress.line(f"run      {DAG_ID} {self.run_id}")

    def clear(self, task_id: str) -> None:
        """Clear a task with those downstream; the run has to be watched again."""
        self.api.clear(DAG_ID, self.run_id, [task_id])
        self._seen.clear()

    def look(self) -> bool:
        """Show what has changed since the last look. Return whether everything has ended."""
        self.tasks = self.api.task_instances(DAG_ID, self.run_id)
        # A request costs the web server a tenth of a second of a processor, so the second one only when it may be true
        ended = all(task["state"] in ENDED for task in self.tasks)
        self.state = self.api.run_state(DAG_ID, self.run_id) if ended else ""
        for watcher in self.watchers:
            watcher(self.tasks)
        for task in self.tasks:
            self._show(task)
        at_work = [task["task_id"] for task in self.tasks if task["state"] in ("running", "deferred")]
        self.busy = ", ".join(name.rpartition(".")[2] for name in at_work) or "scheduling"
        return self.state in ENDED

    def report(self) -> dict[str, Any]:
        """Return what the correctness report of the day returned; empty if there is none."""
        return _report(self.api, self.run_id)

    def timings(self) -> list[dict[str, Any]]:
        """Return the parts of the day: each with ``task_id``, ``start_date``, ``duration`` and ``try_number``."""
        return self.tasks

    def _show(self, task: Mapping[str, Any]) -> None:
        now = (task["state"] or "", task["try_number"])
        if now == self._seen.get(task["task_id"]) or now[0] in ("", "scheduled", "queued"):
            return
        self._seen[task["task_id"]] = now
        again = f" (try {now[1]})" if now[1] > 1 else ""
        took = f" in {task['duration']:.0f} s" if now[0] in ENDED and task["duration"] else ""
        self.progress.line(f"task     {task['task_id']:<34} {now[0]}{took}{again}")


@dataclass
class Hourly:
    """
    The model of the day, then a run for each hour, several at once, as a backfill makes them.

    It is used as :class:`WholeDay` is.

    :param hours: by default all of the day.
    """

    api: AirflowApi
    progress: TerminalProgress
    hours: Sequence[datetime] = tuple(HOURS)
    busy: str = ""
    state: str = ""
    _conf: Mapping[str, Any] = field(default_factory=dict)
    _model_run: str = ""  # while the day's model is being built
    _ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    _reports: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def verdicts(self) -> dict[str, str]:
        """Hour -> verdict of its report; ``none`` if the run has none."""
        return {hour: report.get("verdict", "none") for hour, report in self._reports.items()}

    @property
    def done(self) -> int:
        return len(self._ended) + (not self._model_run)

    def start(self, conf: Mapping[str, Any]) -> None:
        """Start the building of the day's model; the hours follow."""
        self._conf = conf
        self.api.unpause(MODEL_DAG_ID)
        model = {key: conf[key] for key in ("history_days", "messages_bucket")}
        self._model_run = self.api.trigger(MODEL_DAG_ID, FIRST_HOUR.isoformat(), {**model, "model_day": str(DAY)})
        self.progress.line(f"run      {MODEL_DAG_ID} {self._model_run}")

    def look(self) -> bool:
        if self._model_run:
            self.busy = "building the day's model"
            if (state := self.api.run_state(MODEL_DAG_ID, self._model_run)) in ENDED:
                self.progress.line(f"model    {state}")
                self._model_run = ""
                self.api.run_hourly(DAG_ID, self.hours, self._conf, AT_ONCE)
                self.progress.line(f"runs     {DAG_ID}: {len(self.hours)} hours of {DAY}, at most {AT_ONCE} at once")
            return False
        runs = self.api.runs(DAG_ID)
        for run in runs:
            hour = _hour(run)
            if run["state"] in ("success", "failed") and hour not in self._ended:
                self._ended[hour] = run
                self._reports[hour] = _report(self.api, run["dag_run_id"])
                took, verdict = _seconds(run), self.verdicts[hour]
                self.progress.line(f"hour     {hour}  {run['state']} in {took:.0f} s, report: {verdict}")
        at_work = sum(run["state"] == "running" for run in runs)
        self.busy = f"{len(self._ended)} of {len(self.hours)} hours done, {at_work} at work"
        if len(self._ended) < len(self.hours):
            return False
        failed = sum(run["state"] != "success" for run in self._ended.values())
        self.state = f"failed ({failed} of {len(self.hours)})" if failed else "success"
        return True

    def report(self) -> dict[str, Any]:
        return added_up([report for report in self._reports.values() if report])

    def timings(self) -> list[dict[str, Any]]:
        return [
            {"task_id": hour, "start_date": run["start_date"], "duration": _seconds(run), "try_number": 1}
            for hour, run in self._ended.items()
        ]


def added_up(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the report of a day, whose counts are the sums of its hours' and whose percentages are of these sums."""
    counts: dict[str, dict[str, int]] = {}
    for report in reports:
        for row in report["rows"]:
            for heading, cell in zip(report["columns"], row, strict=True):
                if heading.endswith(" Msgs"):
                    of_stage = counts.setdefault(heading.removesuffix(" Msgs"), {})
                    of_stage[str(row[0])] = of_stage.get(str(row[0]), 0) + cell
    if not counts:
        return {}
    table = DiscrepancyTable(counts, default_comparisons(list(counts)))
    day = DiscrepancyReport(table, [], run="", title=f"Message counts of {len(reports)} hours of", window=str(DAY))
    verdict = next((each["verdict"] for each in reports if each["verdict"] != "ok"), "ok")
    return {**day.result(text_report(day)), "verdict": verdict}


def _report(api: AirflowApi, run_id: str) -> dict[str, Any]:
    try:
        return dict(api.returned(DAG_ID, run_id, REPORT))
    except AirflowApiError:
        return {}


def _hour(run: Mapping[str, Any]) -> str:
    return datetime.fromisoformat(run["data_interval_start"]).strftime("%Y-%m-%dT%H")


def _seconds(run: Mapping[str, Any]) -> float:
    return (datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["start_date"])).total_seconds()
