"""Silences in each of the databases that claims may be in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_agari_provider.alerts.alert_database import AlertDatabase
from airflow_agari_provider.alerts.silence_table import SilenceTable
from airflow_agari_provider.alerts.silences import Silence, WrongSilence

SILENCE = Silence("", "telemetry", "load", 1000.0, 2000.0, "ada", "it's 100 % planned", environment="EP_STAGE")


def test_a_silence_is_kept_until_it_is_over_or_ended(connect):
    one, other = SilenceTable(AlertDatabase(connect)), SilenceTable(AlertDatabase(connect))
    assert other.not_over(1000.0) == other.newest() == []
    kept = one.add(SILENCE, 990.0)
    assert other.not_over(995.0) == [replace(SILENCE, id=kept.id, made_at=990.0)]
    assert other.not_over(2000.0) == []
    second = other.add(replace(SILENCE, until=5000.0), 991.0)
    assert one.end(second.id, "grace", 1500.0)
    assert not one.end(second.id, "grace", 1501.0)
    assert not one.end("unknown", "grace", 1501.0)
    assert one.not_over(1500.0) == [kept]
    assert [(silence.id, silence.ended_by) for silence in one.newest()] == [(second.id, "grace"), (kept.id, "")]
    assert other.prune(before=2001.0) == 1
    assert [silence.id for silence in one.newest()] == [second.id]


def test_what_cannot_be_is_not_kept(connect):
    table = SilenceTable(AlertDatabase(connect))
    with pytest.raises(WrongSilence):
        table.add(replace(SILENCE, until=0.0), 990.0)
    assert table.newest() == []
