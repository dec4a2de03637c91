"""
What a thousand deferred waits for drained queues cost in one triggerer of a real Airflow.

``make bench-waits`` (five minutes; ``ARGS="--waits 50"`` for fewer). Airflow makes a run of a thousand
sensors; then each is deferred, as a worker would do it. An SQS of our own notes when each queue is asked about; each
wait also watches a dead-letter queue. The last line is one JSON object; an idle triggerer's figures are taken off:

- ``waits_mib``: memory;
- ``waits_first_round_seconds``: from the deferral until every queue was asked about once;
- ``waits_longest_gap_seconds``: longest time between two polls of one queue; they are 30 seconds apart;
- ``waits_core``: share of a processor core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW, AirflowHome
from airflow_agari_provider.local.demo.setup import free_ports
from airflow_agari_provider.local.processes import Processes

ROOT = Path(__file__).parents[2]
INTERVAL = 30.0
SETTLE = 20.0  # seconds until a triggerer that has just started is idle
PATIENCE = 600.0
DAG_FILE = """
from datetime import datetime
from airflow_agari_provider.airflow_compat import DAG
from airflow_agari_provider.sensors.sqs_drain import SqsDrainSensor

with DAG("waits", schedule=None, start_date=datetime(2026, 1, 1)):
    for number in range({waits}):
        SqsDrainSensor(task_id=f"wait_{{number}}", queue_url=f"queue-{{number}}", deferrable=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waits", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agari-bench-") as folder:
        measured = measure(Path(folder), asked.waits)
    print(json.dumps(measured))


def measure(folder: Path, waits: int) -> dict[str, Any]:
    sqs, *_ = free_ports(None)
    url = f"http://127.0.0.1:{sqs}"
    home = prepared(folder, url, waits)
    processes = Processes(folder / "logs")
    try:
        processes.start(
            "sqs", [sys.executable, "-m", "tests.benchmarks.waits_sqs", str(sqs)], {"PYTHONPATH": str(ROOT)}
        )
        for words in (["db", "migrate"], ["dags", "reserialize"], ["dags", "trigger", "waits"]):
            processes.run("-".join(words), [*AIRFLOW, *words], home.environment())
        child = processes.start("triggerer", [*AIRFLOW, "triggerer", "--capacity", str(waits + 1)], home.environment())
        triggerer = psutil.Process(child.process.pid)
        time.sleep(SETTLE)
        idle_core, idle_mib = core_of(triggerer, INTERVAL), memory_of(triggerer)
        deferred_at = deferred(home, f"{url}/123456789012")
        wait_until(lambda: len(polls(url)) >= waits, processes)
        first_round = max(times[0] for times in polls(url).values()) - deferred_at
        time.sleep(INTERVAL)
        core = core_of(triggerer, 2 * INTERVAL)
        mib = memory_of(triggerer)
        gaps = [later - earlier for times in polls(url).values() for earlier, later in pairwise(times)]
    finally:
        processes.stop()
    print(f"Airflow {version('apache-airflow')}, {waits:,} waits; idle: {idle_mib:.0f} MiB, {idle_core:.2f} of a core")
    return {
        "waits_mib": round(mib - idle_mib, 1),
        "waits_first_round_seconds": round(first_round, 1),
        "waits_longest_gap_seconds": round(max(gaps), 1),
        "waits_core": round(core - idle_core, 3),
    }


def prepared(folder: Path, url: str, waits: int) -> AirflowHome:
    (folder / "dags").mkdir()
    (folder / "dags" / "waits.py").write_text(DAG_FILE.format(waits=waits))
    (folder / "airflow").mkdir()
    extra = {"endpoint_url": url, "region_name": "us-east-1"}
    aws = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    settings = {"PYTHONPATH": str(ROOT)}
    return AirflowHome(
        folder / "airflow", free_ports(None), folder / "dags", {"aws_default": json.dumps(aws)}, settings
    )


def deferred(home: AirflowHome, account: str) -> float:
    """Defer all waits. Return when; seconds since the epoch."""
    command = [sys.executable, "-m", "tests.benchmarks.waits_deferred", "waits", account, str(INTERVAL)]
    environment = {**dict(psutil.Process().environ()), **home.environment()}
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def polls(url: str) -> dict[str, list[float]]:
    """When each watched queue was asked about, in order; not the dead-letter queues."""
    with urllib.request.urlopen(url) as answer:
        asked = json.load(answer)
    return {name: sorted(times) for name, times in asked.items() if name.startswith("queue-")}


def wait_until(condition: Any, processes: Processes) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        processes.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"not every wait was polled within {PATIENCE:g} s; the triggerer's log says why")
        time.sleep(0.5)


def family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def memory_of(process: psutil.Process) -> float:
    """MiB of a process and its children; what they share counts once."""
    return sum(one.memory_full_info().pss for one in family(process)) / 2**20


def core_of(process: psutil.Process, seconds: float) -> float:
    """Share of a core that a process and its children use in the next seconds."""

    def used() -> float:
        return sum(sum(one.cpu_times()[:2]) for one in family(process))

    before = used()
    time.sleep(seconds)
    return (used() - before) / seconds


if __name__ == "__main__":
    main()
