"""A small server of the charts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW_3
from tests.views.frontend.charts_server import ChartsServer
from tests.views.frontend.payloads import (
    active_answer,
    days_answer,
    indexes_answer,
    overview_answer,
    task_time_answer,
    tries_answer,
)

# These tests need no Airflow, so they run only in the newer environment; tests/end_to_end tests both.
collect_ignore_glob = [] if AIRFLOW_3 else ["test_*"]


@pytest.fixture
def charts() -> Iterator[ChartsServer]:
    """A DAG of 12 tasks with 100 runs, all ended, and 24 DAGs in the overview."""
    answers = {
        "api/dags/scoring/tries": tries_answer(100, active=False),
        "api/dags/scoring/days": days_answer(),
        "api/dags/scoring/indexes": indexes_answer(),
        "api/active": active_answer(),
        "api/overview": overview_answer(),
        "api/overview/task_time": task_time_answer(),
    }
    with ChartsServer(answers) as server:
        yield server
