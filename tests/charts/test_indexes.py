from __future__ import annotations

import pytest

from airflow_agari_provider.charts.indexes import histogram, indexes_of
from airflow_agari_provider.charts.tries import Try

ONE = Try("run", "task", 1, "success", 0.0, 5.0, 5.0, 0.0, 1.0, 0.0, 1, 0, True, False)


def test_the_tries_of_an_index_are_added_up_and_its_newest_try_says_how_it_is():
    tries = [
        ONE._replace(outcome="failed_first", last=False),
        ONE._replace(try_number=2, start=20.0, end=23.0, run=3.0, idle=10.0),
        ONE._replace(map_index=1, deferred=None),
        ONE._replace(map_index=2, outcome="skipped", run=0.0),
    ]
    first, second = indexes_of(tries, {0: "acme"})
    assert (first.map_index, first.label, first.outcome, first.tries, first.failed) == (0, "acme", "success", 2, 1)
    assert (first.run, first.lost, first.waited, first.start, first.end) == (8, 5, 12, 0, 23)
    assert (second.map_index, second.label, second.waited) == (1, None, None)


@pytest.mark.parametrize(
    ("seconds", "most", "beyond"),
    [([10.0] * 99 + [9000.0], 12.5, 1), ([0.0] * 5, 0.001, 0), ([4.0], 5, 0)],
    ids=["one index that is far out", "no time at all", "one index"],
)
def test_the_histogram_ends_a_little_beyond_most_indexes(seconds, most, beyond):
    edges, counts = histogram(seconds)
    assert (edges[0], edges[-1], len(edges), len(counts)) == (0, most, 21, 21)
    assert (sum(counts), counts[-1]) == (len(seconds), beyond)
    assert histogram([]) == ([], [])
