"""Times as people type them."""

from __future__ import annotations

import argparse

import pytest

from airflow_agari_provider.commands.times import iso_moment

NOON = 1461844800.0  # 2016-04-28T12:00 in UTC


@pytest.mark.parametrize(
    "text", ["2016-04-28T12:00", " 2016-04-28 12:00:00\n", "2016-04-28T12:00Z", "2016-04-28T14:00+02:00"]
)
def test_a_time_without_a_zone_is_in_utc(text):
    assert iso_moment(text) == NOON


@pytest.mark.parametrize("text", ["", "noon", "28.4.2016", "2016-04-28T25:00", "1461844800000000"])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"is no time: give .*, or 30m"):
        iso_moment(text, ", or 30m")
