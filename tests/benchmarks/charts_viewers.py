"""
Many people with the charts open at once, and how the api-server answers others meanwhile.

``viewers``: each has the page of a DAG open, 38 DAGs among them; an answer is shared by those who ask for it within 5
seconds of each other, so nearly every one is read from the database. ``overview_viewers``: all have the page of all
DAGs open and share what was counted last; ``p95`` also shows how long the first of them waits.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
import urllib.request
from typing import Any

from tests.benchmarks.charts_database import PLAIN_DAGS, dag_ids

VIEWERS = 50
REFRESH = 30.0  # seconds, as the page does
REFRESHES = 3
PROBE = "/api/v2/dags?limit=10"  # the request of another user, once a second


def viewers_figures(url: str) -> dict[str, Any]:
    """:param url: of an api-server that asks for no login."""
    quiet = [_seconds(url + PROBE) for _ in range(10)]
    of_dags = [f"{url}/agari/api/dags/{dag_ids()[number % PLAIN_DAGS]}/tries" for number in range(VIEWERS)]
    return {
        "others_median_without_viewers_ms": round(1000 * statistics.median(quiet)),
        **_crowd("viewers", of_dags, url + PROBE),
        **_crowd("overview_viewers", [f"{url}/agari/api/overview?days=30"] * VIEWERS, url + PROBE),
    }


def _crowd(name: str, pages: list[str], probe: str) -> dict[str, Any]:
    """Latencies of viewers, one per page, and of another user at the same time."""
    latencies: list[float] = []
    threads = [threading.Thread(target=_watch, args=(page, number, latencies)) for number, page in enumerate(pages)]
    for thread in threads:
        thread.start()
    others = []
    while any(thread.is_alive() for thread in threads):
        others.append(_seconds(probe))
        time.sleep(1)
    assert len(latencies) == len(pages) * REFRESHES
    return {
        f"{name}_median_ms": round(1000 * statistics.median(latencies)),
        f"{name}_p95_ms": round(1000 * statistics.quantiles(latencies, n=20)[-1]),
        f"{name}_others_median_ms": round(1000 * statistics.median(others)),
    }


def _watch(url: str, number: int, latencies: list[float]) -> None:
    time.sleep(random.Random(number).random() * REFRESH)  # viewers do not all open their pages at the same moment
    for _ in range(REFRESHES):
        took = _seconds(url)
        latencies.append(took)
        time.sleep(max(0.0, REFRESH - took))


def _seconds(url: str) -> float:
    start = time.perf_counter()
    with urllib.request.urlopen(
        urllib.request.Request(url, headers={"Accept-Encoding": "gzip"}), timeout=120
    ) as answer:
        answer.read()
    return time.perf_counter() - start
