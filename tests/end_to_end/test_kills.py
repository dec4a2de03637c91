"""The table is exact after processes are killed at work and after a task is cleared, twice in one Airflow."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest

from airflow_agari_provider.local.demo.demo import Demo
from airflow_agari_provider.local.demo.progress import TerminalProgress
from airflow_agari_provider.local.demo.report import checks
from airflow_agari_provider.local.demo.setup import Options
from tests.end_to_end.kills import Killer, keep_waiting_tasks_in_workers, scorings
from tests.local.leftover_processes import working_in

pytestmark = [pytest.mark.end_to_end, pytest.mark.spark]


def test_services_and_tasks_may_die_and_a_task_may_be_cleared(tmp_path, clean_environment, capsys):
    options = Options(messages=60_000)
    with ExitStack() as stack:
        demo = Demo(options, TerminalProgress(), stack, folder=tmp_path)
        killer = Killer(demo, ["emr", "triggerer"])
        demo.runs.watchers.append(killer.look)
        assert demo.run() == 0
        assert set(killer.killed) == {"emr", "triggerer"}
        assert scorings(demo.aws) == ["COMPLETED"]
        shown = capsys.readouterr().out

        keep_waiting_tasks_in_workers(demo)
        killer.victims += ["scoring", "importer"]
        demo.runs.clear("prepare.delete_window")
        found = checks(options, demo.watch())
        assert all(found.values()), found
        assert set(killer.killed) == {"emr", "triggerer", "scoring", "importer"}
        assert scorings(demo.aws) == ["COMPLETED"] * 2  # a clear starts anew, a killed task's retry does not
    assert not working_in(tmp_path)
    assert re.search(r"ok +the report equals the expected table in every cell", shown)
    assert re.search(r"ok +the queues are empty", shown)
    assert re.search(r"mail +message_scoring on \S+ completed 2016-04-28 00:00:00 successfully", shown)
    assert re.search(r"charts of every try: http://127\.0\.0\.1:\d+/agari/charts\?dag_id=message_scoring,", shown)
    assert re.search(
        r"history of the report: http://127\.0\.0\.1:\d+/agari/discrepancies\?dag_id=message_scoring ", shown
    )
