from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_agari_provider.discrepancy.recheck import Recheck
from tests.discrepancy.reports import report_of


@pytest.fixture
def lossy():
    return report_of(
        {"1": 340, "5": 9000},
        {"1": 266, "5": 9000},
        {"1": 266, "5": 7796},
        facts={"RDAs": "22058"},
        recheck=Recheck(12, timedelta(minutes=5)),
    )
