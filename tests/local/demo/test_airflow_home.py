from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_agari_provider.local.demo import airflow_home
from airflow_agari_provider.local.demo.airflow_home import AIRFLOW_3, TRIES, AirflowApi, AirflowApiError, AirflowHome


def test_no_password_looks_like_an_option_of_the_command_line_it_is_given_on():
    homes = [AirflowHome(Path("home"), (1, 2, 3), Path("dags"), {}) for _ in range(300)]
    assert all(home.password.isalnum() for home in homes)
    assert len({home.password for home in homes}) == 300


@pytest.mark.parametrize(
    ("refusals", "status", "reason", "calls"),
    [
        pytest.param(TRIES - 1, 500, "Database error", TRIES, id="the database gives way at last"),
        pytest.param(TRIES, 500, "Database error", TRIES, id="the database stays locked"),
        pytest.param(1, 503, "Database is locked. Backfill creation", 2, id="a backfill"),
        pytest.param(1, 500, "Unique constraint violation", 1, id="another error"),
        pytest.param(1, 409, "Database error", 1, id="another status"),
    ],
)
def test_a_request_is_made_again_where_the_database_refused_it(monkeypatch, refusals, status, reason, calls):
    made = []

    def request(method: str, url: str, *_: Any) -> Any:
        made.append(url)
        if len(made) <= refusals:
            raise AirflowApiError(method, url, status, f'{{"detail":{{"reason":"{reason}"}}}}')
        return {"dag_run_id": "r"}

    monkeypatch.setattr(airflow_home, "_request", request)
    monkeypatch.setattr(airflow_home, "PAUSE", 0)
    monkeypatch.setattr(AirflowApi, "_log_in", lambda self: "Bearer x")
    api = AirflowApi(AirflowHome(Path("home"), (1, 2, 3), Path("dags"), {}))
    if refusals < calls:
        assert api.trigger("d", "2016-04-28T05:00:00Z", {}) == "r"
    else:
        with pytest.raises(AirflowApiError, match=reason):
            api.trigger("d", "2016-04-28T05:00:00Z", {})
    assert len(made) == calls


def test_a_long_answer_is_told_in_part():
    text = str(AirflowApiError("GET", "http://127.0.0.1/x", 500, "x" * 600))
    assert text == "Airflow answered GET http://127.0.0.1/x with 500: " + "x" * 493 + "… (cut)"


def test_hourly_runs_are_a_backfill_or_one_run_for_each_hour(monkeypatch):
    made = []

    def request(method: str, url: str, body: Any, *_: Any) -> Any:
        made.append((method, url.rpartition("/")[2], body))
        return {"dag_run_id": "r"}

    monkeypatch.setattr(airflow_home, "_request", request)
    monkeypatch.setattr(AirflowApi, "_log_in", lambda self: "x")
    api = AirflowApi(AirflowHome(Path("home"), (1, 2, 3), Path("dags"), {}))
    api.run_hourly("d", [datetime(2016, 4, 28, hour, tzinfo=UTC) for hour in (22, 23)], {"a": 1}, at_once=4)
    if AIRFLOW_3:
        dates = {"from_date": "2016-04-28T22:00:00+00:00", "to_date": "2016-04-28T23:00:00+00:00"}
        assert made == [("POST", "backfills", {"dag_id": "d", **dates, "dag_run_conf": {"a": 1}, "max_active_runs": 4})]
    else:
        dates = ["2016-04-28T23:00:00+00:00", "2016-04-29T00:00:00+00:00"]
        assert made == [("POST", "dagRuns", {"logical_date": date, "conf": {"a": 1}}) for date in dates]
