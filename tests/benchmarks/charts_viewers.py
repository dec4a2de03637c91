"""Many people with the charts open at once, and how the api-server answers others meanwhile."""

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
PROBE = "/api/v2/dags?limit=10"  # what everybody else's pages ask for, once a second


def viewers_figures(url: str) -> dict[str, Any]:
    """:param url: of an api-server that asks for no login."""
    latencies: list[float] = []
    threads = [
        threading.Thread(target=_watch, args=(f"{url}/agari/api/dags/{dag_ids()[n % PLAIN_DAGS]}/tries", n, latencies))
        for n in range(VIEWERS)
    ]
    quiet = [_seconds(url + PROBE) for _ in range(10)]
    for thread in threads:
        thread.start()
    others = []
    while any(thread.is_alive() for thread in threads):
        others.append(_seconds(url + PROBE))
        time.sleep(1)
    assert len(latencies) == VIEWERS * REFRESHES
    return {
        "viewers_median_ms": round(1000 * statistics.median(latencies)),
        "viewers_p95_ms": round(1000 * statistics.quantiles(latencies, n=20)[-1]),
        "others_median_ms": round(1000 * statistics.median(others)),
        "others_median_without_viewers_ms": round(1000 * statistics.median(quiet)),
    }


def _watch(url: str, number: int, latencies: list[float]) -> None:
    time.sleep(random.Random(number).random() * REFRESH)  # nobody opens his page at the same moment
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
