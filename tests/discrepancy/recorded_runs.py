"""Stored runs of an hourly check: of the fourteen customers of a day, of whom some lose messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from airflow_agari_provider.discrepancy.stored_run import Difference, StoredRun, Telling

STAGES = ("Collector", "Agg", "DB")
CHECKED = 1_795_168_000.0 - 1800  # 2026-11-20 09:16:40 UTC: when the newest run was checked
HOUR = 3600.0


def run_at(number: int) -> str:
    return f"2016-02-{3 + number // 24:02} {number % 24:02}:00:00"


def stored_run(number: int, of: int = 1, **changed: Any) -> StoredRun:
    """A run of which nothing is wrong: the ``number``-th of ``of`` hours."""
    volume = 10_000 + 4000 * (number % 24 in range(8, 18)) + number % 7 * 50
    fine = [fine_key(key, volume // 2**place) for place, key in enumerate(("56", "14", "16"), 1)]
    at = run_at(number)
    usual: dict[str, Any] = {
        "run_at": at,
        "run_id": f"scheduled__{at[:10]}T{at[11:]}+00:00",
        "window": at,
        "verdict": "ok",
        "checked_at": CHECKED - (of - 1 - number) * HOUR,
        "keys": 14,
        "totals": dict(zip(STAGES, (volume, volume - volume // 10, volume - volume // 10), strict=True)),
        "differences": fine,
        "tellings": {"mail": Telling("report", "", CHECKED)},
    }
    return StoredRun(**{**usual, **changed})


def fine_key(key: str, count: int) -> Difference:
    return Difference(key, "", 0, count, "none", counts(count, count, count))


def lost(key: str, number: int, of: int, severity: str = "alarm") -> Difference:
    """Messages that are missing in the database; a negative number of them are there twice."""
    return Difference(key, "Discrepancy", number, of, severity, counts(of, of, of - number), "Agg", "DB")


def counts(*of_stages: int) -> str:
    return json.dumps(dict(zip(STAGES, of_stages, strict=True)))


def bad_run(number: int, of: int = 1, *differences: Difference, **changed: Any) -> StoredRun:
    fine = stored_run(number, of)
    found = differences or (lost("5", 1204, 8000), lost("1", -3, 266))
    total = fine.totals["Agg"]
    totals = {**fine.totals, "DB": total - sum(each.difference for each in found)}
    told = {"mail": Telling("report", "", CHECKED), "Slack": Telling("alarm", "", CHECKED)}
    usual = {"verdict": "high discrepancies", "alarms": len(found), "discrepant": len(found), "totals": totals}
    report = {"report_url": f"s3://counts/{number}.csv.gz", "tellings": told}
    return stored_run(number, of, **{**usual, **report, "differences": [*found, *fine.differences], **changed})


def a_few_days(of: int = 72) -> Sequence[StoredRun]:
    """Seventy-two hours: two hours lose messages, one gains some, one warns, and a key recovers."""
    runs = [stored_run(number, of) for number in range(of)]
    runs[30] = bad_run(30, of)
    runs[31] = bad_run(31, of, lost("5", 12, 8100))
    runs[32] = stored_run(32, of, differences=[lost("5", 12, 8100, "recovered"), *runs[32].differences])
    runs[50] = stored_run(50, of, verdict="warning", differences=[lost("7", 2, 73, "warn"), *runs[50].differences])
    runs[60] = bad_run(60, of, lost("16", -900, 3000))
    return runs
