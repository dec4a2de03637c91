from __future__ import annotations

import copy
import json

import pytest

from airflow_agari_provider.discrepancy.stage import Stage, may_change


def call():
    return {}


def named(where):
    return " and ".join(where) if isinstance(where, dict) else None


@pytest.mark.parametrize(
    "where",
    [{"counts": {}}, {"counts": []}, {"s3_url": "s3://b/k"}, {"call": call}, {"sql": "SELECT 1", "conn_id": "db"}],
    ids=named,
)
def test_a_stage_has_one_place_to_count_from(where):
    stage = Stage("DB", **where)
    assert {name: stage[name] for name in where} == where
    assert (stage["name"], stage["shown"], stage["timeout"]) == ("DB", True, 1800)


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"sql": "SELECT 1"},
        {"conn_id": "db"},
        {"counts": {}, "s3_url": "s3://b/k"},
        {"counts": {}, "conn_id": "db"},
        {"sql": "SELECT 1", "conn_id": "db", "call": call},
    ],
    ids=named,
)
def test_none_or_two_places_are_an_error_that_names_the_stage(where):
    with pytest.raises(ValueError, match="Stage 'Ü\\\\n' needs either sql and conn_id, or counts, or s3_url, or call"):
        Stage("Ü\n", **where)


@pytest.mark.parametrize("timeout", [1, 0.5, 604_800])
def test_a_timeout_is_up_to_a_week(timeout):
    assert Stage("DB", counts={}, timeout=timeout)["timeout"] == timeout


@pytest.mark.parametrize("timeout", [0, -1, 604_801, 1e300, float("inf"), float("nan"), True, None, "60", "{{ 60 }}"])
def test_a_time_that_no_thread_can_wait_for_is_refused(timeout):
    with pytest.raises(ValueError, match="give seconds, more than 0 and at most a week"):
        Stage("DB", counts={}, timeout=timeout)


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ({"counts": {}}, False),
        ({"s3_url": "s3://b/k"}, False),
        ({"call": call}, True),
        ({"sql": "SELECT 1, 2, 2", "conn_id": "db"}, True),
    ],
    ids=named,
)
def test_only_rows_can_have_a_column_of_different_messages(where, fits):
    if fits:
        assert Stage("DB", distinct=True, **where)["distinct"]
    else:
        with pytest.raises(ValueError, match="'DB' cannot be distinct"):
            Stage("DB", distinct=True, **where)


def test_only_the_counts_of_another_task_cannot_change():
    assert not may_change(Stage("Agg", counts={}))
    assert may_change(Stage("DB", s3_url="s3://b/k"))
    assert may_change(Stage("DB", call=call))


def test_airflow_may_copy_and_store_it():
    stage = Stage("DB", s3_url=["s3://b/k"], where={"kind": "a"})
    assert copy.deepcopy(stage) == json.loads(json.dumps(stage)) == stage
    assert type(copy.copy(stage)) is Stage
