"""
A million keys in four stages: how long a check takes beside the databases' own time, and how much memory. And how often
a usual volume is called unusual, and half of it is found, over 2,000 simulated weeks.

The databases are SQLite files. Their own time is that of the same queries, fetched by the same driver and dropped; both
sides run in turns. The last line is one JSON object.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from airflow_agari_provider.discrepancy.comparisons import default_comparisons
from airflow_agari_provider.discrepancy.counted import ROWS_AT_ONCE, Counted, settle_nulls_and_booleans
from airflow_agari_provider.discrepancy.findings import Limits, judge
from airflow_agari_provider.discrepancy.reading import Source, add_cursor, read_all, remarks_on
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.report_mail import mail_report
from airflow_agari_provider.discrepancy.report_text import text_report
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from tests.benchmarks.discrepancy_volumes import report

STAGES = ("Collector", "Agg", "DB", "NRT DB")
ROUNDS, WEEKS = 3, 2_000


def fill(file: str, keys: int) -> None:
    """One table for each stage; of each thousandth key the last judged stage has lost a message."""
    with closing(sqlite3.connect(file)) as connection:
        for stage in STAGES:
            connection.execute(f'CREATE TABLE "{stage}" (k INTEGER, n INTEGER)')
            rows = ((key, 1000 + key % 977 - (stage == "DB" and key % 1000 == 0)) for key in range(keys))
            connection.executemany(f'INSERT INTO "{stage}" VALUES (?, ?)', rows)
        connection.commit()


def fetch(file: str) -> float:
    """Seconds of the queries alone."""
    begun = time.perf_counter()
    for stage in STAGES:
        with closing(sqlite3.connect(file)) as connection:
            cursor = connection.execute(f'SELECT k, n FROM "{stage}"')
            while cursor.fetchmany(ROWS_AT_ONCE):
                pass
    return time.perf_counter() - begun


def check(file: str) -> float:
    """Seconds of a whole check, to the mail."""
    begun = time.perf_counter()

    def read(counted: Counted) -> None:
        with closing(sqlite3.connect(file)) as connection:
            add_cursor(counted, connection.execute(f'SELECT k, n FROM "{counted.stage}"'))

    pool: dict[Any, str] = {}
    stages = read_all([Source(Counted(stage, pool=pool), read, file, 600) for stage in STAGES])
    settle_nulls_and_booleans(stages)
    table = DiscrepancyTable({each.stage: each.counts for each in stages}, default_comparisons(STAGES))
    found = judge(table, Limits())
    assert found.alarms == len(table.every_key) // 1000
    remarks_on({each.stage: each for each in stages}, [("Collector", "Agg"), ("Agg", "DB")])
    told = DiscrepancyReport(table, found.findings, "run", "title", "window", found.alarms, found.discrepant)
    text = text_report(told)
    told.result(text)
    mail_report(told, text, "a@example.com", ["b@example.com"])
    return time.perf_counter() - begun


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def side(which: str, file: str) -> None:
    """One side in a process of its own, so that its memory is its own; prints seconds, and MiB above those at first."""
    idle = peak_mib()
    seconds = (check if which == "check" else fetch)(file)
    print(json.dumps([seconds, peak_mib() - idle]))


def run(which: str, file: str) -> tuple[float, float]:
    """Run one side; return its seconds and its MiB."""
    module = "tests.benchmarks.discrepancy"
    done = subprocess.run([sys.executable, "-m", module, which, file], check=True, capture_output=True, text=True)
    seconds, mib = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), float(mib)


def main(keys: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "counts.db")
        fill(file, keys)
        rounds = [(run("fetch", file), run("check", file)) for _ in range(ROUNDS)]
    for (fetched, _), (checked, mib) in rounds:
        print(f"{keys:,} keys x {len(STAGES)} stages: queries {fetched:.1f} s, check {checked:.1f} s, {mib:.0f} MiB")
    ours = statistics.median(checked - fetched for (fetched, _), (checked, _) in rounds)
    peak = max(mib for _, (_, mib) in rounds)
    rates = {}
    for name, found in report(WEEKS):
        rates[name] = found
        print(
            f"{name}: {found.false_per_1000} false alarms in 1,000 runs,"
            f" {found.found_percent} % of the harmed ones found at once"
        )
    volumes = next(iter(rates.values()))
    figures = {
        "million_keys_seconds": round(ours, 2),
        "million_keys_peak_mib": round(peak),
        "false_volume_alarms_per_1000": volumes.false_per_1000,
        "halved_volume_found_percent": volumes.found_percent,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    side(*sys.argv[1:]) if len(sys.argv) > 2 else main()
