"""Four hours at once, one dead letter each, an importer killed and an hour cleared: each hour's results are its own."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_agari_provider.local.demo.demo import Demo
from airflow_agari_provider.local.demo.pipeline import client
from airflow_agari_provider.local.demo.progress import TerminalProgress
from airflow_agari_provider.local.demo.runs import DAG_ID, HOURS, Hourly
from airflow_agari_provider.local.demo.setup import Options
from tests.end_to_end.kills import Killer
from tests.local.leftover_processes import working_in

pytestmark = [pytest.mark.end_to_end, pytest.mark.spark]

CHOSEN = HOURS[9:13]
CUT_OFF = b"Obj\x01\x04\x14avro.codec"


def broken(hour: str) -> str:
    return f"scored/{hour}_1h/broken-uploader/part-0.avro"


@dataclass
class Disturber:
    """
    Leaves a broken file in each hour's folder once the hour has purged its dead letters; kills the first importer that
    holds a message; and clears the first hour that has ended, once.
    """

    demo: Demo
    stop: threading.Event = field(default_factory=threading.Event)
    runs: dict[str, str] = field(default_factory=dict)
    """Hour -> run id."""
    left: set[str] = field(default_factory=set)
    cleared: str = ""

    def work(self) -> None:
        self.killer = Killer(self.demo, ["importer"])
        while not self.stop.wait(1):
            try:
                self.look()
            except (OSError, AttributeError):  # the web server is busy, or the demo has not got so far
                continue

    def look(self) -> None:
        api, runs = self.demo.api, self.demo.api.runs(DAG_ID)
        for run in runs:
            hour = run["data_interval_start"][:13]
            self.runs[hour] = run["dag_run_id"]
            tasks = api.task_instances(DAG_ID, run["dag_run_id"])
            states = {task["task_id"]: task["state"] for task in tasks}
            if hour not in self.left and states["prepare.purge_dead_letters"] == "success":
                s3 = client("s3", self.demo.aws)
                s3.put_object(Bucket=self.demo.pipeline.bucket, Key=broken(hour), Body=CUT_OFF)
                self.left.add(hour)
            self.killer.look(tasks)
            if not self.cleared and run["state"] == "success":
                api.clear(DAG_ID, run["dag_run_id"], ["prepare.delete_window"])
                self.cleared = hour


def returned(demo: Demo, run_id: str, task_id: str) -> Any:
    return demo.api.returned(DAG_ID, run_id, task_id)


def test_hours_that_overlap_do_not_meet(tmp_path, clean_environment):
    with ExitStack() as stack:
        demo = Demo(Options(messages=60_000, hourly=True), TerminalProgress(), stack, folder=tmp_path)
        demo.runs = Hourly(demo.api, demo.progress, CHOSEN)
        disturber = Disturber(demo)
        thread = threading.Thread(target=disturber.work, daemon=True)
        stack.callback(disturber.stop.set)
        thread.start()
        demo.run()  # its own checks are of a whole day
        disturber.stop.set()
        thread.join(60)
        assert disturber.cleared
        demo.runs = Hourly(demo.api, demo.progress, CHOSEN)  # the cleared hour runs again
        assert demo.watch().state == "success"

        assert set(disturber.killer.killed) == {"importer"}
        hours = [f"{hour:%Y-%m-%dT%H}" for hour in CHOSEN]
        assert disturber.left == set(hours)
        assert demo.runs.verdicts == dict.fromkeys(hours, "ok")
        bucket = demo.pipeline.bucket
        for hour in hours:
            run_id = disturber.runs[hour]
            letters = returned(demo, run_id, "report.report_dead_letters")
            assert (letters["count"], letters["objects"]) == (1, [f"s3://{bucket}/{broken(hour)}"])
            assert (letters["unclaimed"], letters["unseen"]) == (0, 0)
            scored = returned(demo, run_id, "score.score_messages")["counts"]["scored"]
            rows = demo.database.count(f"SELECT COUNT(*) FROM scored_messages WHERE hour = '{hour}'")
            assert rows == sum(scored.values()) > 0
            files = returned(demo, run_id, "load.wait_for_own_files")
            assert files["loaded"] == files["objects"] > 0
        told = [each.text for each in demo.sinks.received if each.channel == "slack"]
        for hour in hours:
            alerts = [text for text in told if f"completed {hour.replace('T', ' ')}:00:00 with 1 DLQs" in text]
            assert len(alerts) == 1 + (hour == disturber.cleared), told
        assert demo.database.count("SELECT COUNT(*) FROM scored_messages") == sum(
            sum(returned(demo, run_id, "score.score_messages")["counts"]["scored"].values())
            for run_id in disturber.runs.values()
        )
    assert not working_in(tmp_path)
