from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def claims(sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))
    monkeypatch.setenv("AIRFLOW__AGARI__ALERTS_CONN_ID", "claims")
