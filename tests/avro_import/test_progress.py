from __future__ import annotations

import logging

from airflow_agari_provider.avro_import.progress import ImportProgress


def test_progress_is_logged_every_few_seconds(caplog):
    caplog.set_level(logging.INFO)
    now = [100.0]
    progress = ImportProgress(interval=5, clock=lambda: now[0])
    for seconds, position in ((1, 250_000), (4, 500_000), (9, 1_500_000), (11, 2_000_000)):
        now[0] = 100.0 + seconds
        progress.advance(90, position)
    assert caplog.messages == ["0 objects, 270 rows, 1.5 MB, 30 rows/s"]


def test_progress_is_logged_also_while_objects_are_passed_over(caplog):
    caplog.set_level(logging.INFO)
    now = [100.0]
    progress = ImportProgress(interval=5, clock=lambda: now[0])
    for seconds in (1, 4, 9):
        now[0] = 100.0 + seconds
        progress.finish(0, 1_000_000, passed_over=True)
    assert caplog.messages == ["3 objects, 0 rows, 3.0 MB, 0 rows/s"]


def test_progress_tells_what_is_left_where_that_is_known():
    """What was passed over took no time, and says nothing about the time left."""
    now = [0.0]
    progress = ImportProgress(interval=99, clock=lambda: now[0])
    progress.expect(4, 40_000_000)
    assert progress.line() == "0 of 4 objects, 0 rows, 0.0 of 40.0 MB, 0 rows/s"
    progress.finish(0, 10_000_000, passed_over=True)
    now[0] = 10.0
    progress.advance(500, 5_000_000)
    assert progress.line() == "1 of 4 objects, 500 rows, 15.0 of 40.0 MB, 50 rows/s, 50 s left"
    progress.finish(1000, 10_000_000)
    assert progress.line() == "2 of 4 objects, 1000 rows, 20.0 of 40.0 MB, 100 rows/s, 20 s left"
    progress.finish(1000, 20_000_000)
    progress.finish(0, 0)
    now[0] = 20.0
    assert progress.line() == "4 of 4 objects, 2000 rows, 40.0 of 40.0 MB, 100 rows/s, 0 s left"


def test_an_object_that_begins_again_counts_once():
    now = [1.0]
    progress = ImportProgress(clock=lambda: now[0])
    progress.advance(500, 5_000_000)
    now[0] = 2.0
    progress.begin()
    progress.advance(100, 1_000_000)
    assert progress.line() == "0 objects, 100 rows, 1.0 MB, 100 rows/s"
    progress.finish(100, 1_000_000)
    progress.restart()
    assert progress.line() == "0 objects, 0 rows, 0.0 MB, 0 rows/s"
