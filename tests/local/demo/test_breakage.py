"""What is broken on purpose, and how it is judged."""

from __future__ import annotations

import sys
import threading
import time

import psutil
import pytest

from airflow_agari_provider.local.demo.alert_endpoints import Received
from airflow_agari_provider.local.demo.breakage import BREAKAGES, Evidence, slow_scoring
from airflow_agari_provider.local.processes import Processes

LATE = "EP_STAGE - message_scoring SLA Miss for task score.score_messages on 2016-04-28T00:00:00"
CAME_IN = LATE.replace("SLA Miss", "SLA Miss recovered")


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_scoring_stands_still_until_it_may_go_on(tmp_path):
    processes, stop, said = Processes(tmp_path), threading.Event(), []
    sleep = [sys.executable, "-c", "import time; time.sleep(60)", "SparkSubmit", "score_messages.py"]
    harm = threading.Thread(target=lambda: said.append(slow_scoring("", None, processes, stop)))
    try:
        driver = psutil.Process(processes.start("driver", sleep, {}).process.pid)
        harm.start()
        wait_for(lambda: driver.status() == psutil.STATUS_STOPPED)
        stop.set()
        wait_for(lambda: driver.status() != psutil.STATUS_STOPPED)
        harm.join()
    finally:
        stop.set()
        processes.stop()
    assert said == [f"suspended the Spark driver of score_messages.py (process {driver.pid}) for 60 s"]


def page(message_type, text=LATE, entity_id="scoring"):
    return Received("victorops", text, {"message_type": message_type, "entity_id": entity_id})


@pytest.mark.parametrize(
    ("pages", "good"),
    [
        ([page("CRITICAL"), page("RECOVERY", CAME_IN)], True),
        ([page("CRITICAL")], False),
        ([page("CRITICAL"), page("CRITICAL"), page("RECOVERY", CAME_IN)], False),
        ([page("CRITICAL"), page("RECOVERY", CAME_IN, "another")], False),
        ([], False),
    ],
    ids=["opened and closed", "not closed", "opened twice", "another one closed", "nothing"],
)
def test_a_slow_scoring_is_one_incident_that_is_closed(pages, good):
    slack = [Received("slack", LATE, {}), Received("slack", CAME_IN, {})]
    evidence = Evidence("ok", {}, 0, table_as_expected=True, received=[*slack, *pages])
    assert list(BREAKAGES["slow-scoring"].expected(evidence).values()) == [True, True, good, True]
