"""
The charts' requests compared with Airflow's own for the same runs, in turn, on the environment's metadata database.

``python -m tests.benchmarks.charts_requests``; the last line is one JSON object: milliseconds and ratios, medians.

Each request for the tries of a DAG is new, so no cached answer is used. The overview of all DAGs is measured twice.
``overview_cold``: the cache is empty and every number is counted while the reader waits, as for the first reader of a
minute. ``overview``: an open page asks again after 30 seconds (simulated by the charts' clock, without a sleep); it
gets the previous count of its own question, and the new count runs in the background. Other readers help neither.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow_agari_provider.views.http_answers import REFRESH_SECONDS
from tests.benchmarks.charts_database import MAPPED_DAGS, NEWEST, PLAIN_DAGS, dag_ids

PLAIN, MAPPED = dag_ids()[3], dag_ids()[-MAPPED_DAGS]
PAGE = 100  # runs; the most that one request of Airflow's grid gives
OVERVIEW_DAYS = 30
COUNTED = 2.0  # seconds, after which no count runs in the background any more


class Requests:
    """:param client: of the api-server; its user may see everything."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._now = time.time()

    def ours(self, dag_id: str, runs: int) -> None:
        self._now += 1  # the newest runs before a new moment in the future: no answer to this is cached
        shown = self._json(f"/agari/api/dags/{dag_id}/tries", runs=runs, before=self._now + 86_400)
        assert shown["window"]["shown"] == runs, shown["window"]
        assert len(shown["tries"]["run"]) > runs

    def grid(self, dag_id: str, runs: int) -> None:
        """What Airflow's grid page asks for: the runs, then the tasks of each; last tries only."""
        tasks = 0
        for offset in range(0, runs, PAGE):
            page = {"limit": min(PAGE, runs - offset), "offset": offset, "order_by": "-run_after"}
            run_ids = [run["run_id"] for run in self._json(f"/ui/grid/runs/{dag_id}", **page)]
            answer = self._client.get(f"/ui/grid/ti_summaries/{dag_id}", params={"run_ids": run_ids})
            answer.raise_for_status()
            tasks += len(answer.text.splitlines())
        assert tasks == runs

    def overview_cold(self) -> None:
        self._forget()
        self.overview()

    def overview(self) -> None:
        self._now += REFRESH_SECONDS
        shown = self._json("/agari/api/overview", days=OVERVIEW_DAYS)
        assert len(shown["dags"]["dag_id"]) == PLAIN_DAGS + MAPPED_DAGS

    def dashboard(self) -> None:
        """Airflow's counts of run and task states, which end at 50,000."""
        since = (NEWEST - timedelta(days=OVERVIEW_DAYS)).isoformat()
        self._json("/ui/dashboard/historical_metrics_data", start_date=since, end_date=NEWEST.isoformat())

    def _forget(self) -> None:
        from airflow.utils.session import create_session

        from airflow_agari_provider.views import charts_airflow3
        from airflow_agari_provider.views.cached_charts import SharedCharts

        charts_airflow3.CHARTS = SharedCharts(create_session, clock=lambda: self._now)

    def _json(self, path: str, **parameters: Any) -> Any:
        answer = self._client.get(path, params=parameters)
        answer.raise_for_status()
        return answer.json()


def compare(ours: Callable[[], None], theirs: Callable[[], None], rounds: int, pause: float = 0.0) -> dict[str, Any]:
    """Both in turn, a pause after ours; a first pair warms the caches."""
    pairs = []
    for _ in range(rounds + 1):
        mine = seconds(ours)
        time.sleep(pause)
        pairs.append((mine, seconds(theirs)))
    del pairs[0]
    return {
        "ours_ms": round(1000 * statistics.median(mine for mine, _ in pairs), 1),
        "airflow_ms": round(1000 * statistics.median(other for _, other in pairs), 1),
        "speedup": round(statistics.median(other / mine for mine, other in pairs), 2),
    }


def seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    with TestClient(create_app(apps="all")) as client:
        requests = Requests(client)
        figures = {}
        for name, dag_id, runs, rounds in (
            ("grid_25", PLAIN, 25, 9),
            ("grid_100", PLAIN, 100, 5),
            ("grid_1000", PLAIN, 1000, 3),
            ("mapped_100", MAPPED, 100, 5),
        ):
            figures[name] = compare(
                lambda dag_id=dag_id, runs=runs: requests.ours(dag_id, runs),
                lambda dag_id=dag_id, runs=runs: requests.grid(dag_id, runs),
                rounds,
            )
            print(f"  {name}: {figures[name]}", flush=True)
        for name, call in (("overview_cold", requests.overview_cold), ("overview", requests.overview)):
            figures[name] = compare(call, requests.dashboard, 9, COUNTED)
            print(f"  {name}: {figures[name]}", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
