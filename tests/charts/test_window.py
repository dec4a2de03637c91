from __future__ import annotations

import pytest

from airflow_agari_provider.charts.rows import RunRow
from airflow_agari_provider.charts.window import RunWindow

AUGUST_12, NOVEMBER_21 = 1786492800, 1795219200  # 2026, at midnight UTC


def runs(count):
    last = [
        RunRow(number, f"r{number}", "scheduled", "success", NOVEMBER_21, *[None] * 4) for number in range(1, count)
    ]
    return [RunRow(0, "r0", "scheduled", "success", AUGUST_12, *[None] * 4), *last]


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (RunWindow(runs(100), 8214, 0, None), "last 100 of 8,214 runs, 2026-08-12 to 2026-11-21 (UTC)"),
        (RunWindow(runs(3), 3, 0, None), "all 3 runs, 2026-08-12 to 2026-11-21 (UTC)"),
        (RunWindow(runs(1), 1, 0, None), "the only run, 2026-08-12 (UTC)"),
        (RunWindow(runs(100), 8214, 1000, None), "runs 7,115 to 7,214 of 8,214, 2026-08-12 to 2026-11-21 (UTC)"),
        (RunWindow([], 0, 0, None), "no run"),
        (RunWindow(runs(3), 3, 0, None, True), "all 3 runs that match the filters, 2026-08-12 to 2026-11-21 (UTC)"),
        (RunWindow(runs(1), 1, 0, None, True), "the only run that matches the filters, 2026-08-12 (UTC)"),
        (
            RunWindow(runs(2), 20, 0, None, True),
            "last 2 of 20 runs that match the filters, 2026-08-12 to 2026-11-21 (UTC)",
        ),
        (
            RunWindow(runs(2), 20, 5, None, True),
            "runs 14 to 15 of 20 that match the filters, 2026-08-12 to 2026-11-21 (UTC)",
        ),
        (RunWindow([], 20, 20, None, True), "none of 20 runs that match the filters is this old"),
        (RunWindow([], 0, 0, None, True), "no run matches the filters"),
        (RunWindow([], 20, 20, None), "none of 20 runs is this old"),
        (RunWindow([], 20, 0, None), "none of 20 runs is this new"),
    ],
)
def test_a_window_says_what_it_shows_of_what_there_is(window, text):
    assert window.text == text
