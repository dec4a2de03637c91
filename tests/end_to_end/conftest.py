"""What the tests with real Airflow processes share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def clean_environment(monkeypatch):
    """Without what the tests set for an Airflow of their own."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "AWS_"))]:
        monkeypatch.delenv(name)
