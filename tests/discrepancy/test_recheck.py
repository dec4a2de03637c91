from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_agari_provider.discrepancy.recheck import Recheck


@pytest.mark.parametrize(
    ("keys", "wait", "text"),
    [
        (12, timedelta(minutes=5), "12 did at first; counted again after 0:05:00."),
        (0, timedelta(0), "0 did at first; counted again after 0:00:00."),
        (12345, timedelta(days=1, hours=2), "12,345 did at first; counted again after 1 day, 2:00:00."),
        (None, timedelta(seconds=90), "Some did at first; counted again after 0:01:30."),
    ],
)
def test_a_second_reading_says_what_the_first_found(keys, wait, text):
    assert str(Recheck(keys, wait)) == text
