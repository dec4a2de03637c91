"""How many letters are new, from counts of which each may be wrong."""

from __future__ import annotations

import pytest

from airflow_agari_provider.queues.letter_count import MOST_LOOKS, LetterCount


def counted(counts, settling=60, every=30, before=None):
    count = LetterCount(before=before)
    for number, value in enumerate(counts):
        count.observe(value, number * every, settling)
    return count


@pytest.mark.parametrize(
    ("counts", "growth"),
    [
        ([0, 4900, 4900, 4900, 4900, 4900], 0),
        ([4900, 0, 0, 4900, 4900, 4900], 0),
        ([5, 5, 5, 0, 5, 5, 5], 0),
        ([5, 5, 5, 7, 7, 7, 7], 2),
        ([5, 5, 5, 7, 5, 5, 5], 0),
        ([0, 0, 0, 1, 1, 1, 1], 1),
        ([20, 21, 20, 22, 21, 22, 22, 22], 0),
    ],
    ids=["unsettled first", "drop at first", "drop", "grew", "one reading", "first letter", "one off"],
)
def test_only_a_count_that_stays_is_growth(counts, growth):
    grown = [counted(counts[: number + 1]).growth for number in range(len(counts))]
    assert (max(grown), grown[-1]) == (growth, growth)


@pytest.mark.parametrize(
    ("counts", "growth"), [([3], 0), ([3, 5], 0), ([3, 5, 5], 2), ([3, 5, 4], 1), ([3, 0, 0, 2, 2], 2)]
)
def test_two_exact_counts_are_enough(counts, growth):
    assert counted(counts, settling=0).growth == growth


def test_a_purge_lowers_what_was_there_before():
    assert counted([50, 50, 50, 0, 0, 0, 0, 3, 3, 3, 3]).growth == 3


def test_until_the_first_counts_are_settled_the_highest_stands_for_them():
    count = counted([3, 5])
    assert (count.before, count.before_or_last, count.doubtful, count.growth) == (None, 5, True, 0)


def test_a_rise_within_the_first_counts_is_unsure_until_it_is_told():
    count = counted([3, 5, 5, 5])
    assert (count.unsure, count.growth) == (True, 0)
    count.tell_new(2)
    assert (count.unsure, count.before) == (False, 3)


def test_before_a_count_there_is_none():
    assert (LetterCount().last, LetterCount().growth, LetterCount().doubtful) == (None, 0, False)


@pytest.mark.parametrize(
    ("settling", "before", "left"),
    [(0, 0, 0), (120, 0, 0), (120, 4900, 4890), (120, 4900, 4900)],
    ids=["exact counts", "a purge", "a purge of some", "the one letter gone"],
)
def test_what_was_unknown_of_letters_that_are_gone_says_nothing_about_later_ones(settling, before, left):
    count, now = LetterCount(), 0

    def feed(letters):
        nonlocal now
        for _ in range(10):
            count.observe(letters, now, settling)
            now += 30

    feed(before)
    feed(before + 1)
    assert count.unjudged
    for _ in range(MOST_LOOKS):
        assert count.unjudged
        count.judge(foreign=0, unknown=1)
    feed(before + 1)
    assert (count.growth, count.unjudged, count.doubtful) == (0, False, False)
    feed(left)
    feed(left + 1)
    assert (count.unjudged, count.growth) == (True, 1)


def test_a_look_that_tells_nothing_is_repeated_and_one_that_tells_ends_it():
    count = LetterCount(before=0)
    count.observe(2, 0, 0)
    count.observe(2, 30, 0)
    count.judge(foreign=0, unknown=2)
    assert (count.growth, count.doubtful, count.unjudged) == (0, True, True)
    count.judge(foreign=1, unknown=0)
    assert (count.growth, count.before, count.unjudged) == (1, 1, False)
