from __future__ import annotations

import logging

import pytest

from airflow_agari_provider.queues.letter_progress import LetterProgress


@pytest.fixture
def told(caplog):
    """Lines of a progress that is told (seconds, letters done)."""
    caplog.set_level(logging.INFO)

    def told(*steps, began=100.0, **arguments):
        now = [began]
        progress = LetterProgress("Moved", "the archive", clock=lambda: now[0], **arguments)
        for seconds, done in steps:
            now[0] = began + seconds
            progress.tell(done)
        return caplog.messages

    return told


def test_there_is_a_line_at_most_every_ten_seconds(told):
    lines = told((1, 10), (9.9, 90), (10, 100), (19.9, 190), (20, 200), (500, 5000))
    assert [line.split()[1] for line in lines] == ["100", "200", "5000"]


def test_a_line_says_how_many_of_how_many_how_fast_and_how_long_it_takes(told):
    assert told((10, 100), total=400) == [
        "Moved 100 of about 400 dead letter(s) of the archive: 10.0/s, about 30 s to go"
    ]


@pytest.mark.parametrize(
    ("step", "total", "line"),
    [
        ((20, 100), 0, "Moved 100 dead letter(s) of the archive: 5.0/s"),
        ((20, 0), 9, "Moved 0 of about 9 dead letter(s) of the archive: 0.0/s"),
        ((20, 100), 60, "Moved 100 of about 60 dead letter(s) of the archive: 5.0/s"),
        ((20, 100), 100, "Moved 100 of about 100 dead letter(s) of the archive: 5.0/s"),
    ],
    ids=["total unknown", "none yet", "more than were counted", "all"],
)
def test_what_is_not_known_is_not_told(told, step, total, line):
    assert told(step, total=total) == [line]


def test_a_clock_that_is_set_back_tells_nothing_and_breaks_nothing(told):
    assert told((-50, 5), (5, 10)) == []
