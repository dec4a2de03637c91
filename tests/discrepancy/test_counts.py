from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_agari_provider.discrepancy.counts import (
    UnusableCounts,
    UnusableKeys,
    UnusableSkips,
    counts_from_rows,
    counts_from_value,
    in_key_order,
    key_text,
    keys_from_value,
    skips_from_value,
)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("5", "5"),
        (5, "5"),
        (Decimal(5), "5"),
        (5.0, "5"),
        ("05", "05"),
        (" 5", " 5"),
        ("", ""),
        (5.5, "5.5"),
        (Decimal("NaN"), "NaN"),
        (float("inf"), "inf"),
        (None, "null"),
        (True, "true"),
        (b"acme", "acme"),
        ("Żółw", "Żółw"),
    ],
    ids=repr,
)
def test_keys_of_a_query_and_of_json_join_as_text(key, text):
    assert key_text(key) == text


@pytest.mark.parametrize(
    "value",
    [
        {"5": 3, "6": 0},
        {5: 3, 6: 0},
        '{"5": 3, "6": 0}',
        "{5: 3, '6': 0}",
        "{'5': 3.0, '6': 0}",
        [{"5": 1, "6": 0}, {5: 2}],
        "[{'5': 1, '6': 0}, {'5': 2}]",
        ({"5": n, "6": 0} for n in (1, 2)),
    ],
    ids=["dict", "integer keys", "JSON", "Python", "float counts", "two importers", "text of two", "lazy sequence"],
)
def test_counts_of_a_task_survive_any_rendering(value):
    assert counts_from_value("Agg", value) == {"5": 3, "6": 0}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "got None"),
        ("None", "got None"),
        ("", "the text ''"),
        ("{5: 3", "the text '{5: 3'"),
        (7, "got 7"),
        ([1, 2], "got [1, 2]"),
        ({"5": None}, "the count of key '5' is None"),
        ({"5": "3"}, "the count of key '5' is '3'"),
        ({"5": -1}, "the count of key '5' is -1"),
        ({"5": 1.5}, "the count of key '5' is 1.5"),
        ({"5": float("nan")}, "the count of key '5' is nan"),
        ({"5": True}, "the count of key '5' is True"),
    ],
    ids=str,
)
def test_a_value_that_is_not_a_count_is_an_error_and_never_zero(value, says):
    with pytest.raises(UnusableCounts) as error:
        counts_from_value("Agg", value)
    assert says in str(error.value)
    assert "Stage 'Agg' gave no usable counts" in str(error.value)


@pytest.mark.parametrize(
    "value",
    [
        {"duplicate": {12: 3}, "no sender": {}},
        '{"duplicate": {"12": 3}, "no sender": {}}',
        "{'duplicate': {12: 3}, 'no sender': {}}",
    ],
    ids=["dict", "JSON", "Python"],
)
def test_counted_skips_survive_any_rendering(value):
    assert skips_from_value(value) == {"duplicate": {"12": 3}, "no sender": {}}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "The counted skips are not usable: expected {reason: {key: count}}, got None"),
        ("None", "got None"),
        ("", "the text ''"),
        ([], "got []"),
        (
            {"duplicate": None},
            "The counted skips of the reason 'duplicate' are not usable: expected a mapping, got None",
        ),
        ({"duplicate": 3}, "got 3"),
        ({"duplicate": {"12": None}}, "the count of key '12' is None"),
    ],
    ids=str,
)
def test_unknown_skips_are_an_error_and_never_zero(value, says):
    with pytest.raises(UnusableSkips) as error:
        skips_from_value(value)
    assert says in str(error.value)
    assert "which does not mean none" in str(error.value)


@pytest.mark.parametrize(
    "value",
    [[5, "7"], "[5, 7]", '["5", "7"]', "['5', '7']", (key for key in (5, 7))],
    ids=["list", "JSON", "JSON of texts", "Python", "lazy sequence"],
)
def test_expected_keys_survive_any_rendering(value):
    assert keys_from_value(value) == ["5", "7"]


@pytest.mark.parametrize("value", [None, "None", "null", "", "5, x", "5", {"5": 1}, 5], ids=repr)
def test_unknown_keys_are_an_error_and_never_none(value):
    with pytest.raises(UnusableKeys, match="The expected keys are not usable: expected a list, got"):
        keys_from_value(value)


def test_rows_of_a_query_with_one_key_add_up():
    assert counts_from_rows("DB", [(5, 1), ("5", Decimal(2)), (None, 4)]) == {"5": 3, "null": 4}


def test_a_query_with_a_third_column_is_refused():
    with pytest.raises(UnusableCounts, match="a row has 3 columns, not 2"):
        counts_from_rows("DB", [(5, 1, 2)])


@pytest.mark.parametrize(
    ("keys", "ordered"),
    [
        (["56", "7", "12", "-1"], ["-1", "7", "12", "56"]),
        (["b", "10", "9"], ["10", "9", "b"]),
        (["²", "1"], ["1", "²"]),
        ([], []),
    ],
    ids=["numbers", "mixed", "a digit that is not a number", "none"],
)
def test_keys_sort_as_numbers_when_all_are(keys, ordered):
    assert in_key_order(keys) == ordered
