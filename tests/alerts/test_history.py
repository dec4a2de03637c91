"""SLAs from what earlier runs took."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_agari_provider.alerts.history import FromHistory

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("history", "durations", "sla"),
    [
        (FromHistory(), [600.0] * 20, 15 * MINUTE),
        (FromHistory(), [60.0] * 20, 5 * MINUTE),
        (FromHistory(), [600.0] * 19 + [6000.0], 15 * MINUTE),
        (FromHistory(), [600.0] * 18 + [1200.0, 6000.0], 30 * MINUTE),
        (FromHistory(percentile=100), [600.0] * 19 + [6000.0], 150 * MINUTE),
        (FromHistory(percentile=50, factor=1), [float(60 * number) for number in range(1, 21)], 10 * MINUTE),
        (FromHistory(), [600.0] * 5, 15 * MINUTE),
        (FromHistory(), [600.0] * 4, None),
        (FromHistory(), [600.0] * 4 + [-10.0], None),
        (FromHistory(least=1, runs=1), [600.0], 15 * MINUTE),
        (FromHistory(), [], None),
    ],
)
def test_an_sla_is_a_high_percentile_times_a_factor(history, durations, sla):
    assert history.sla(durations) == sla
    assert FromHistory.from_text(history.text).sla(durations) == sla


@pytest.mark.parametrize(
    "wrong",
    [
        {"runs": 0},
        {"runs": 1001},
        {"percentile": 0},
        {"percentile": 101},
        {"factor": 0},
        {"factor": float("nan")},
        {"floor": timedelta(0)},
        {"least": 0},
        {"least": 21},
    ],
    ids=str,
)
def test_what_is_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=rf"FromHistory\({next(iter(wrong))}="):
        FromHistory(**wrong)
