"""What a wait tells of itself, by scripted polls; ``test_drain_watch.py`` has when it ends."""

from __future__ import annotations

import json

import pytest

from airflow_agari_provider.queues.depth import DepthUnknown, QueueDepth
from airflow_agari_provider.queues.drain_figures import figures, in_words
from airflow_agari_provider.queues.drain_watch import DrainWatch

Q, OTHER, DEAD = "importer", "importer-2", "importer-dead"


def watched(*polls, every=30, **arguments):
    """A watch that saw these numbers of visible messages, and of dead letters; None: no answer."""
    watch = DrainWatch([Q], quiet_period=120, **arguments)
    for number, poll in enumerate(polls):
        visible, *dead = poll if isinstance(poll, tuple) else (poll,)
        if visible is None:
            watch.observe_unknown(DepthUnknown(Q, "no answer"), number * every)
        else:
            watch.observe({Q: QueueDepth(visible, 0, 0)}, number * every, {DEAD: dead[0]} if dead else {})
    return watch


def test_before_the_first_poll_nothing_is_known_and_nothing_is_divided():
    found = figures(DrainWatch([Q]))
    assert (found["seconds"], found["polls"], found["depth_start"], found["depth_end"]) == (0, 0, None, 0)
    assert found["messages_per_second"] is None
    assert json.loads(json.dumps(found)) == found
    assert isinstance(in_words(DrainWatch([Q])), str)


def test_the_figures_are_those_of_the_polls():
    found = figures(watched(100, 60, None, 40, 40, 40, 0))
    assert (found["seconds"], found["polls"], found["unknown_polls"]) == (180, 7, 1)
    assert (found["depth_start"], found["depth_peak"], found["depth_end"]) == (100, 100, 0)
    assert (found["messages_seen"], found["messages_per_second"]) == (100, 0.556)


def test_two_polls_at_one_moment_have_no_rate():
    found = figures(watched(9, 9, every=0))
    assert (found["seconds"], found["messages_per_second"]) == (0, None)


def test_dead_letters_are_counted_before_and_after():
    found = figures(watched((9, 2), (9, 2), (9, 2), dead_letter_urls=[DEAD], dead_letters_before={DEAD: 2}))
    assert (found["dead_letters_before"], found["dead_letters_after"]) == ({DEAD: 2}, {DEAD: 2})
    assert found["new_dead_letters"] == 0
    assert not {"unread_dead_letters", "unknown_dead_letters"} & set(found)


def test_a_dead_letter_queue_that_was_not_read_is_named_and_counts_nothing():
    watch = watched(9, dead_letter_urls=[DEAD])
    assert figures(watch)["unread_dead_letters"] == [DEAD]
    assert figures(watch)["dead_letters_after"] == {}
    assert in_words(watch).endswith(f"dead letters of {DEAD} unknown")


@pytest.mark.parametrize(
    ("watch", "words"),
    [
        (lambda: watched(0, 0, 0), "empty for 60 of 120 s"),
        (lambda: watched(0, expected_messages=7), "0 of 7 expected message(s) seen"),
        (lambda: watched(300, 240, 240, 240), "0.67 messages/s leave, about 360 s to go"),
        (lambda: watched(9, None), "1 poll(s) unanswered"),
    ],
    ids=["quiet", "nothing came", "drains", "no answer"],
)
def test_a_line_of_the_log_says_what_matters_now(watch, words):
    assert words in in_words(watch())


def test_several_queues_are_added_up():
    watch = DrainWatch([Q, OTHER])
    watch.observe({Q: QueueDepth(1, 2, 3), OTHER: QueueDepth(10, 20, 30)}, 0)
    assert in_words(watch).startswith(f"{QueueDepth(11, 22, 33)} in 2 queues")
