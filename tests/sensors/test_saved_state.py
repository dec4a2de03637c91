"""What a waiting task remembers, for whom, and how long."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from airflow_agari_provider.airflow_compat import AirflowFailException, AirflowSensorTimeout
from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.sensors import saved_state
from airflow_agari_provider.sensors.saved_state import WaitMemory


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    """Airflow's Variables in a dict: outside a task Airflow 3 has none."""
    kept = {}

    class Variable:
        @staticmethod
        def get(key, default, deserialize_json):
            return json.loads(kept[key]) if key in kept else default

        @staticmethod
        def set(key, value, description, serialize_json):
            kept[key] = json.dumps(value)

        @staticmethod
        def delete(key):
            kept.pop(key, None)

    monkeypatch.setattr(saved_state, "Variable", Variable)
    return kept


def memory(retries=1, needed=True, start=datetime(2026, 11, 21, tzinfo=UTC), **changes):
    identity = {"dag_id": "scoring", "run_id": "run", "task_id": "drain", "map_index": -1}
    ti = SimpleNamespace(**{**identity, "try_number": 1, "max_tries": 1} | changes)
    return WaitMemory({"ti": ti, "dag_run": SimpleNamespace(start_date=start)}, retries, needed)


@pytest.mark.parametrize(
    ("later", "knows"),
    [
        pytest.param({"try_number": 2}, True, id="the next try"),
        pytest.param({"max_tries": 2, "try_number": 2}, False, id="after a clear"),
        pytest.param({"start": datetime(2026, 11, 22, tzinfo=UTC)}, False, id="a new run of the old name"),
        pytest.param({"run_id": "another"}, False, id="another run"),
        pytest.param({"map_index": 0}, False, id="another mapped task"),
    ],
)
def test_only_the_tries_of_one_task_of_one_run_share_a_memory(later, knows):
    memory().remember({"polls": 3})
    assert memory(**later).recall() == ({"polls": 3} if knows else None)


@pytest.mark.parametrize(
    ("error", "try_number", "left"),
    [
        pytest.param(AgariError("stalled"), 1, 1, id="a try follows"),
        pytest.param(AgariError("stalled"), 2, 0, id="no try follows"),
        pytest.param(AirflowFailException("dead letters"), 1, 0, id="not retried"),
        pytest.param(AirflowSensorTimeout("not drained"), 1, 0, id="the timeout is not retried"),
        pytest.param(KeyboardInterrupt(), 1, 1, id="killed"),
    ],
)
def test_a_failure_is_forgotten_when_no_try_follows(variables, error, try_number, left):
    kept = memory(try_number=try_number)
    kept.remember({"polls": 3})
    with pytest.raises(type(error)), kept.forgotten_with_the_last_try():
        raise error
    assert len(variables) == left


def test_a_task_that_needs_no_memory_writes_no_variable(variables):
    idle = memory(needed=False)
    idle.remember({"polls": 3})
    idle.forget()
    assert (idle.recall(), variables) == (None, {})
