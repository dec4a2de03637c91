"""How many letters are new, from counts of which each may be wrong."""

from __future__ import annotations

import pytest

from airflow_agari_provider.queues.letter_count import LetterCount


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


def test_letters_of_other_queues_are_left_out():
    count = counted([5, 5, 5, 8, 8, 8, 8])
    count.leave_out(2)
    assert (count.growth, count.own) == (1, 1)


def test_before_a_count_there_is_none():
    assert (LetterCount().last, LetterCount().growth, LetterCount().doubtful) == (None, 0, False)
