"""Each row is counted by its value, or said to be uncounted."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_agari_provider.avro_import.row_counts import MAX_COUNTED_LENGTH, CountedValues


def counted(values, limit=100):
    counts = Counter()
    return counts, CountedValues(limit).count(counts, values)


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        pytest.param(["a", "b", "a"], {"a": 2, "b": 1}, id="texts"),
        pytest.param(["", "a", ""], {"": 2, "a": 1}, id="an empty text is a value"),
        pytest.param([None, "null", '"null"'], {"null": 1, '"null"': 1, '""null""': 1}, id="nothing is not its name"),
        pytest.param([5, 0, 5], {"5": 2, "0": 1}, id="numbers"),
        pytest.param(["a" * MAX_COUNTED_LENGTH], {"a" * MAX_COUNTED_LENGTH: 1}, id="as long as may be"),
    ],
)
def test_values_are_counted_by_their_text(values, counts):
    assert counted(values) == (counts, 0)


def test_what_is_too_long_or_too_many_is_uncounted():
    assert counted(["a" * (MAX_COUNTED_LENGTH + 1), "b"]) == ({"b": 1}, 1)
    assert counted(["a", "b", "c", "c", "a"], limit=2) == ({"a": 2, "b": 1}, 2)


def test_a_value_of_an_earlier_object_is_counted_in_a_later_one():
    values, later = CountedValues(1), Counter()
    values.count(Counter(), ["a"])
    assert (values.count(later, ["b", "a"]), later) == (1, {"a": 1})
