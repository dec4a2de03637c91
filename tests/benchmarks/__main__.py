"""
What parsing the example DAG costs, compared with Airflow itself, which every DAG file imports.

Both sides run as whole processes, in turn, so that a machine whose speed drifts still gives a sound ratio. The last
line is one JSON object.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 7
DAG_FILE = Path(__file__).parents[2] / "example_dags" / "message_scoring.py"
# What any DAG file with one operator of each kind imports: Airflow's own part of the time.
AIRFLOW = (
    "import airflow_agari_provider.airflow_compat, airflow.providers.common.sql.operators.sql, "
    "airflow.providers.standard.operators.python"
)


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    rounds = []
    for number in range(ROUNDS + 1):
        pair = seconds(str(DAG_FILE)), seconds("-c", AIRFLOW)
        print(f"round {number}: example DAG {pair[0]:.2f} s, Airflow alone {pair[1]:.2f} s", flush=True)
        rounds.append(pair)
    counted = rounds[1:]  # the first one warms the caches
    figures = {
        "dag_parse_vs_airflow": round(statistics.median(dag / airflow for dag, airflow in counted), 3),
        "dag_parse_seconds": round(statistics.median(dag for dag, _ in counted), 3),
        "airflow_seconds": round(statistics.median(airflow for _, airflow in counted), 3),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
