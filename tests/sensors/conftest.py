from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest


@pytest.fixture
def context():
    ti = SimpleNamespace(
        dag_id="scoring", run_id="run", task_id="waiting", map_index=-1, try_number=1, max_tries=0, task=None
    )
    return {"ti": ti, "task_instance": ti, "dag_run": SimpleNamespace(start_date=datetime(2026, 11, 21, tzinfo=UTC))}
