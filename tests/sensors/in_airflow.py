"""A DAG that Airflow itself runs, in a process of its own: its sensors are rescheduled, deferred and retried."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

RUN = """
import json, runpy, sys

from airflow.utils.db import initdb

initdb()
run = runpy.run_path(sys.argv[1])["dag"].test()

from airflow.models import Variable
from airflow.utils.session import create_session

with create_session() as session:
    left = [variable.key for variable in session.query(Variable)]
states = {ti.task_id: [str(ti.state), ti.try_number] for ti in run.get_task_instances()}
print("RESULT", json.dumps({"states": states, "variables": left}))
"""


def run_dag(text: str, home: Path, **environment: str) -> tuple[dict[str, Any], str]:
    """
    Return what is left of a run: each task's state and number of tries, and the Variables; and all that was printed.

    :param text: a DAG file that defines ``dag``.
    :param home: an empty folder.
    """
    (home / "dags").mkdir()
    file = home / "dags" / "dag.py"
    file.write_text(text)
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(file.parent),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(file)],
        env=os.environ | settings | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    results = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    assert results, run.stdout[-3000:] + run.stderr[-3000:]
    return json.loads(results[0].removeprefix("RESULT ")), run.stdout + run.stderr
