"""
What running DAGs leave behind, as the charts answer it: expected values are of the DAG file, written by hand.

One small Airflow runs every case. Waits and queues last as long as the machine is busy; what a task sleeps is the least
that its try takes, and twice that time would be a second counted twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from airflow_agari_provider.local.airflow_home import AIRFLOW_3, AirflowApi, AirflowHome
from airflow_agari_provider.local.demo_setup import free_ports
from airflow_agari_provider.local.processes import Processes
from airflow_agari_provider.views import charts
from airflow_agari_provider.views.questions import tries_question

pytestmark = pytest.mark.end_to_end
PATIENCE = 420  # seconds
DAG_ID = "golden"

DAG_FILE = """
import time
from datetime import datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow_agari_provider.airflow_compat import DAG, BaseOperator


def fail_first(seconds, fails, ti):
    time.sleep(seconds)
    if fails and ti.try_number == 1:
        raise ValueError("the first try fails")


class Defers(BaseOperator):
    def execute(self, context):
        time.sleep(5)
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=20)), method_name="resume")

    def resume(self, context, event=None):
        time.sleep(5)


again = {"python_callable": fail_first, "retries": 1, "retry_delay": timedelta(seconds=5)}
with DAG("golden", schedule=None, start_date=datetime(2026, 1, 1)):
    EmptyOperator(task_id="empty")
    PythonOperator(task_id="retried", op_args=[10, True], **again)
    PythonOperator(task_id="cleared", op_args=[10, False], **again)
    PythonOperator.partial(task_id="mapped", **again).expand(op_args=[[10, False], [10, True]])
    Defers(task_id="deferred")
"""


def until(question: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (answer := question()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} seconds"
        time.sleep(1)
    return answer


@pytest.fixture
def answer(tmp_path, monkeypatch):
    """What the charts say after one run, in which one task was then cleared."""
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        monkeypatch.delenv(name)
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "golden.py").write_text(DAG_FILE)
    home = AirflowHome(tmp_path / "home", free_ports(None), tmp_path / "dags", {})
    processes = Processes(tmp_path / "logs")
    try:
        for name, command in home.preparations().items():
            processes.run(name, command, home.environment())
        for name, command in home.services().items():
            processes.start(name, command, home.environment())
        api = AirflowApi(home)
        until(api.healthy)
        until(lambda: api.knows(DAG_ID))
        api.unpause(DAG_ID)
        run_id = api.trigger(DAG_ID, "2026-01-02T00:00:00+00:00", {})
        until(lambda: api.run_state(DAG_ID, run_id) == "success")
        api.clear(DAG_ID, run_id, ["cleared"], downstream=False)
        until(lambda: api.run_state(DAG_ID, run_id) != "success")
        until(lambda: api.run_state(DAG_ID, run_id) == "success")
    finally:
        processes.stop()
    engine = sa.create_engine(f"sqlite:///{home.folder}/airflow.db")
    with Session(engine) as session:
        found = charts.dag_tries(session, DAG_ID, tries_question([]), datetime.now(UTC).timestamp())
    engine.dispose()
    return found


def test_what_really_ran_is_what_the_charts_show(answer):
    tries, tasks = answer["tries"], answer["tasks"]["task_id"]
    shown = [
        (
            tasks[tries["task"][at]],
            tries["try_number"][at],
            answer["outcomes"][tries["outcome"][at]],
            tries["instances"][at],
        )
        for at in range(len(tries["task"]))
    ]
    at = {place: index for index, place in enumerate(shown)}
    ran = {place: tries["run_seconds"][index] for place, index in at.items()}
    expected = {
        ("retried", 1, "failed_first", 1): 10,
        ("retried", 2, "success", 1): 10,
        ("cleared", 1, "superseded", 1): 10,
        ("cleared", 2, "success", 1): 10,
        ("mapped", 1, "failed_first", 1): 10,
        ("mapped", 1, "success", 1): 10,
        ("mapped", 2, "success", 1): 10,
    }
    slept = {place: seconds for place, seconds in ran.items() if place in expected}
    assert {
        place: expected[place] <= seconds < 2 * expected[place] for place, seconds in slept.items()
    } == dict.fromkeys(expected, True), ran
    empty = next(place for place in shown if place[0] == "empty")
    assert (empty[2:], ran[empty]) == (("success", 1), 0)
    deferred = at["deferred", 1, "success", 1]
    if AIRFLOW_3:
        assert tries["deferred_seconds"][deferred] >= 20
        assert 10 <= tries["run_seconds"][deferred] < 20
    else:
        assert tries["deferred_seconds"][deferred] is None
        assert tries["run_seconds"][deferred] >= 30
    assert set(shown) == {*expected, empty, ("deferred", 1, "success", 1)}
    assert all(tries["idle_seconds"][at[place, 2, "success", 1]] >= 5 for place in ("retried", "mapped"))
    assert answer["task_figures"][tasks.index("retried")]["retried_runs"] == 1
    assert answer["task_figures"][tasks.index("cleared")]["retried_runs"] == 0
