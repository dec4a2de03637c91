from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from airflow_agari_provider.local.demo.airflow_home import AirflowApiError
from airflow_agari_provider.local.demo.progress import TerminalProgress
from airflow_agari_provider.local.demo.published_day import PUBLISHED_DAY, Organisation, shared_out
from airflow_agari_provider.local.demo.report import PUBLISHED
from airflow_agari_provider.local.demo.runs import HOURS, Hourly, added_up

COLUMNS = PUBLISHED.read_text().splitlines()[0].split(",")


def hour_of(number: int) -> dict[str, Any]:
    """The report of one hour, with the percentages that its own counts have."""

    def part(total: int) -> int:
        return shared_out(total, [1] * 24)[number]

    def row(one: Organisation) -> list[Any]:
        collector, agg, nrt = part(one.collector), part(one.collector) - part(one.skipped), part(one.nrt)
        percent = round(100 * (agg - nrt) / collector, 1) if collector else 0.0
        return [str(one.org_id), collector, agg, agg, 0, 0.0, nrt, agg - nrt, percent, collector - agg, "a note"]

    return {"columns": COLUMNS, "rows": [row(one) for one in PUBLISHED_DAY], "verdict": "ok"}


def run_of(number: int, state: str) -> dict[str, Any]:
    start = HOURS[number]
    return {
        "dag_run_id": f"backfill__{start.isoformat()}",
        "data_interval_start": start.isoformat(),
        "state": state,
        "start_date": "2026-11-30T09:00:00Z",
        "end_date": "2026-11-30T09:01:30Z",
    }


class Api:
    """What Airflow answers: one list of runs for each look."""

    def __init__(self, *looks: list[dict[str, Any]]) -> None:
        self.looks = list(looks)
        self.asked: list[Any] = []

    def unpause(self, dag_id: str) -> None:
        self.asked.append(("unpause", dag_id))

    def trigger(self, dag_id: str, logical_date: str, conf: dict[str, Any]) -> str:
        self.asked.append((dag_id, conf))
        return "model"

    def run_state(self, dag_id: str, run_id: str) -> str:
        return "running" if self.asked[-1][0] == "model_building" and not self.looks.pop(0) else "failed"

    def run_hourly(self, dag_id: str, hours: list[Any], conf: dict[str, Any], at_once: int) -> None:
        self.asked.append((dag_id, conf))

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return self.looks.pop(0)

    def returned(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        number = next(number for number, hour in enumerate(HOURS) if run_id.endswith(hour.isoformat()))
        if number == 7:
            raise AirflowApiError("GET", "xcomEntries", 404, "not found")
        return {**hour_of(number), **({"verdict": "high discrepancies"} if number == 3 else {})}


def test_the_hours_reports_add_up_to_the_published_one_in_every_cell():
    with PUBLISHED.open(newline="") as file:
        published = list(csv.reader(file))
    day = added_up([hour_of(number) for number in range(24)])
    assert [[str(cell) for cell in row] for row in [day["columns"], *day["rows"]]] == published
    assert day["verdict"] == "ok"
    assert "Message counts of 24 hours of 2016-04-28: Messages 261254" in day["text"]


def test_nothing_adds_up_to_no_report():
    assert added_up([]) == {}


def test_an_hour_is_told_once_it_has_ended_and_the_day_ends_with_the_last():
    early = [run_of(0, "success"), run_of(3, "running")]
    all_but_one = [run_of(number, "success") for number in range(24) if number != 7]
    out = io.StringIO()
    hours = Hourly(Api(early, all_but_one, [*all_but_one, run_of(7, "failed")]), TerminalProgress(out))  # type: ignore[arg-type]
    assert not hours.look()
    assert hours.busy == "1 of 24 hours done, 1 at work"
    done = hours.done
    assert not hours.look()
    assert hours.done - done == 22
    assert hours.look()
    assert hours.state == "failed (1 of 24)"
    told = [line.partition("] ")[2] for line in out.getvalue().splitlines()]
    assert told[0] == "hour     2016-04-28T00  success in 90 s, report: ok"
    assert told[-1] == "hour     2016-04-28T07  failed in 90 s, report: none"
    assert len(told) == 24
    assert hours.verdicts["2016-04-28T03"] == "high discrepancies"
    assert hours.report()["verdict"] == "high discrepancies"


@pytest.mark.parametrize("state", ["success", "failed"])
def test_the_day_fails_with_any_hour(state):
    hours = Hourly(
        Api([run_of(0, state), *(run_of(n, "success") for n in range(1, 24))]), TerminalProgress(io.StringIO())
    )  # type: ignore[arg-type]
    assert hours.look()
    assert hours.state == ("success" if state == "success" else "failed (1 of 24)")


def test_the_hours_start_once_the_building_of_the_day_s_model_has_ended_even_if_it_failed():
    api = Api([], ["ended"], [run_of(0, "running")])
    hours = Hourly(api, TerminalProgress(io.StringIO()))  # type: ignore[arg-type]
    conf = {"history_days": 5, "messages_bucket": "b", "queue_url": "q"}
    hours.start(conf)
    model = ("model_building", {"history_days": 5, "messages_bucket": "b", "model_day": "2016-04-28"})
    assert api.asked == [("unpause", "model_building"), model]
    assert not hours.look()
    assert api.asked[-1] == model
    assert not hours.look()
    assert api.asked[-1] == ("message_scoring", conf)
    assert not hours.look()
    assert hours.busy == "0 of 24 hours done, 1 at work"
