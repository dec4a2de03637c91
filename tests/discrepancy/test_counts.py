from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_agari_provider.discrepancy.counted import (
    Counted,
    UnusableCounts,
    UnusableKeys,
    UnusableMapping,
    UnusableSkips,
    settle_nulls_and_booleans,
)
from airflow_agari_provider.discrepancy.counts import (
    add_value,
    counts_from_rows,
    counts_from_value,
    keys_from_value,
    mapping_from_value,
    skips_from_value,
)
from airflow_agari_provider.discrepancy.keys import NULL


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
    [{5: "moved"}, "{5: 'moved'}", ' {5: "moved"} '],
    ids=["mapping", "as Python prints it", "with spaces"],
)
def test_an_argument_that_rendered_to_text_is_a_mapping_again(value):
    assert mapping_from_value("notes", value) == {5: "moved"}


@pytest.mark.parametrize("value", [None, "", " ", "None", {}, "{}"])
def test_an_argument_that_rendered_to_nothing_says_nothing(value):
    assert mapping_from_value("notes", value) == {}


@pytest.mark.parametrize("value", ["moved house", "[5]", [5], 7, "7", "{5: "], ids=repr)
def test_an_argument_that_is_no_mapping_is_an_error_in_words(value):
    with pytest.raises(UnusableMapping) as error:
        mapping_from_value("notes", value)
    assert str(error.value).startswith("notes is not usable: expected a mapping, got ")
    assert str(error.value).endswith("or leave notes out.")


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
    counted = Counted("DB")
    counted.add_rows([(5, 1), ("5", Decimal(2)), (None, 4), ("null", 7)])
    assert counted.counts == {"5": 3, NULL: 4, "null": 7}
    assert (counted.repeated, counted.an_example) == (1, "5")


def test_a_query_with_a_third_column_is_refused():
    says = r"a row has 3 columns, not 2 \(key, count\). For a key of several columns, give key"
    with pytest.raises(UnusableCounts, match=says):
        counts_from_rows("DB", [(5, 1, 2)])


@pytest.mark.parametrize("value", ['{"5": 1, "6": 9, "5": 2}', "{5: 1, '6': 9, 5: 2}"], ids=["JSON", "Python"])
def test_a_key_that_stands_twice_in_a_text_is_added_up_and_told(value):
    counted = Counted("Agg")
    add_value(counted, value)
    assert counted.counts == {"5": 3, "6": 9}
    assert (counted.repeated, counted.an_example) == (1, "5")


def test_the_keys_of_several_mapped_tasks_are_no_repetition():
    counted = Counted("Agg")
    add_value(counted, [{"5": 1}, {"5": 2}])
    assert (counted.counts, counted.repeated) == ({"5": 3}, 0)


def test_a_reason_that_stands_twice_in_a_text_is_added_up():
    assert skips_from_value('{"twice": {"12": 1}, "twice": {"12": 2}}') == {"twice": {"12": 3}}


@pytest.mark.parametrize(
    "count", [2**63, Decimal("1E+400"), Decimal("NaN"), float("inf"), "3", b"3", True, None, -1, 1.5], ids=repr
)
def test_a_count_that_no_database_could_give_is_refused(count):
    with pytest.raises(UnusableCounts, match="not a whole number of 0 or more"):
        counts_from_rows("DB", [("5", count)])


def test_rows_may_be_dicts_as_some_drivers_give_them():
    assert counts_from_rows("DB", [{"org_id": 5, "n": 3}]) == {"5": 3}


COMPOSITE = {"5 | a": 3, "5 | b": 4}


@pytest.mark.parametrize(
    "value",
    [
        {(5, "a"): 3, (5, "b"): 4},
        {'[5, "a"]': 3, '["05", "b"]': 4},
        '{"5": {"a": 3, "b": 4}}',
        [{"5": {"a": 3}}, {5: {"b": 4}}],
    ],
    ids=["tuples", "JSON lists", "nested", "of two tasks"],
)
def test_a_key_of_several_columns_may_be_written_in_several_ways(value):
    assert counts_from_value("Agg", value, ["int", "text"]) == COMPOSITE


def test_a_query_may_have_a_key_of_several_columns():
    rows = [(5, "a", 3), ("05", "b", Decimal(4)), (5, None, 1), (5, "NULL", 2), (5, "a|b", 6)]
    assert counts_from_rows("DB", rows, ["int", "text"]) == {
        **COMPOSITE,
        "5 | NULL": 1,
        '5 | "NULL"': 2,
        "5 | a\\|b": 6,
    }
    with pytest.raises(UnusableCounts, match=r"a row has 2 columns, not 3 \(2 of the key, count\)"):
        counts_from_rows("DB", [(5, 3)], ["int", "text"])


def test_rows_may_tell_how_many_messages_are_different_ones():
    counted = Counted("DB", with_distinct=True)
    counted.add_rows([(5, 10, 8), ("5", 1, 1)])
    assert (counted.counts, counted.distinct) == ({"5": 11}, {"5": 9})
    with pytest.raises(UnusableCounts, match="key '5' has more distinct messages than messages"):
        Counted("DB", with_distinct=True).add_rows([(5, 1, 2)])


def of(*rows):
    counted = Counted("Agg")
    counted.add_rows(rows)
    return counted


def of_json(text):
    counted = Counted("Agg")
    add_value(counted, text)
    return counted


@pytest.mark.parametrize(
    ("one", "other", "settled"),
    [
        ([(None, 2), ("a", 1)], '{"null": 2, "a": 1}', {NULL: 2, "a": 1}),
        ([("null", 2)], '{"null": 2}', {"null": 2}),
        ([(True, 3), (False, 1)], [(1, 3), (0, 1)], {"true": 3, "false": 1}),
        ([(True, 3), (None, 1)], [("t", 3), (None, 1)], {"true": 3, NULL: 1}),
    ],
    ids=["NULL in JSON", "the text null", "booleans as numbers", "booleans as letters"],
)
def test_some_keys_find_their_form_only_together(one, other, settled):
    stages = [of(*one), of_json(other) if isinstance(other, str) else of(*other)]
    settle_nulls_and_booleans(stages)
    assert [stage.counts for stage in stages] == [settled, settled]


def test_the_keys_of_skips_follow_those_of_the_stages():
    skips = {"null": 2, "a": 1}
    settle_nulls_and_booleans([of((None, 2)), of(("null", 2))], [skips])
    assert skips == {NULL: 2, "a": 1}
    skips = {"1": 2}
    settle_nulls_and_booleans([of((True, 2)), of((1, 2))], [skips])
    assert skips == {"true": 2}


def test_what_only_looks_like_a_boolean_or_null_stays_what_it_is():
    stages = [of((True, 3), (7, 1)), of((1, 3), (7, 1)), of((None, 1), ("null", 2)), of(("null", 2))]
    settle_nulls_and_booleans(stages)
    assert [list(stage.counts) for stage in stages] == [["true", "7"], ["1", "7"], [NULL, "null"], ["null"]]


def test_keys_that_are_there_twice_are_added_up_wherever_they_stand():
    pool = {}
    for stage in ("Agg", "DB"):  # the second one looks the texts of its keys up
        counted = Counted(stage, pool=pool)
        counted.add_rows([(1, 10), (2, 20)])
        counted.add_rows([(3, 1), (4, 1), (3, 5)])
        counted.add_rows([(2, 2), ("1 ", 1)])
        assert counted.counts == {"1": 11, "2": 22, "3": 6, "4": 1}
        assert counted.repeated == 3
