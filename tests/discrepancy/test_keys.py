"""Which keys of different sources are the same one."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from airflow_agari_provider.discrepancy.counted import UnusableCounts
from airflow_agari_provider.discrepancy.counts import counts_from_rows, counts_from_value, keys_from_value
from airflow_agari_provider.discrepancy.keys import NULL, in_key_order, key_rule, key_text

ID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
MIDNIGHT = "2016-02-03 00:00:00"


def named(value: object) -> str:
    """The value in a test's name, without its address, which differs between the processes that run the tests."""
    return "" if isinstance(value, int) else re.sub(" at 0x[0-9a-f]+", "", f"{value!r:.40}")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("5", "5"),
        (5, "5"),
        (Decimal(5), "5"),
        (5.0, "5"),
        (Decimal("5.00"), "5"),
        (Decimal("5.50"), "5.5"),
        (5.5, "5.5"),
        (Decimal("-0"), "0"),
        (Decimal(123456789012345678901234567890), "123456789012345678901234567890"),
        (Decimal("123456789012345678901234567890.50"), "123456789012345678901234567890.5"),
        (Decimal("1E+30"), "1" + "0" * 30),
        (10**5000, "1" + "0" * 5000),
        ("9" * 5000, "9" * 5000),
        ("05", "05"),
        (" 5", " 5"),
        ("5   ", "5"),
        ("", ""),
        (Decimal("NaN"), "NaN"),
        (float("inf"), "inf"),
        (True, "true"),
        (b"acme", "acme"),
        (bytearray(b"acme"), "acme"),
        (memoryview(b"acme"), "acme"),
        (b"\xff", "\\xff"),
        ("\udc80", "\\udc80"),
        ("Żółw", "Żółw"),
        ("Z\u0307o\u0301\u0142w", "Żółw"),
        (UUID(ID), ID),
        (ID.upper(), ID),
        (ID.upper().encode(), ID),
        (datetime(2016, 2, 3), MIDNIGHT),
        (datetime(2016, 2, 3, 1, tzinfo=timezone(timedelta(hours=1))), MIDNIGHT),
        ("2016-02-03T00:00:00Z", MIDNIGHT),
        ("2016-02-03T00:00:00", MIDNIGHT),
        ("2016-02-03 01:00:00+01:00", MIDNIGHT),
        ("2016-02-03 00:00:00.5", "2016-02-03 00:00:00.500000"),
        (date(2016, 2, 3), "2016-02-03"),
        ("2016-02-03T05", "2016-02-03T05"),
        ("2016-02-31T00:00:00", "2016-02-31T00:00:00"),
    ],
    ids=named,
)
def test_keys_of_a_query_and_of_json_join_as_text(key, text):
    assert key_text(key) == text


def test_null_is_a_key_of_its_own():
    assert key_text(None) is NULL
    assert str(NULL) == "NULL"
    assert NULL not in {"NULL": 1, "null": 2}
    assert "NULL" not in {NULL: 1}
    assert pickle.loads(pickle.dumps(NULL)) is NULL
    assert [key_rule(rule)(None) for rule in ("int", "text", str.upper)] == [NULL] * 3


@pytest.mark.parametrize(
    ("rule", "keys", "text"),
    [
        ("int", [5, "05", " +5 ", "5.0", Decimal(5), 5.0, b"5"], "5"),
        ("int", ["-007", -7], "-7"),
        ("int", ["0" + "9" * 5000], "9" * 5000),
        ("int", [True, 1], "1"),
        ("uuid", [UUID(ID), ID.upper(), ID.replace("-", ""), "{" + ID + "}", UUID(ID).bytes], ID),
        ("bool", [True, 1, "1", "T", "yes", Decimal(1)], "true"),
        ("bool", [False, 0, "f", "NO"], "false"),
        ("date", [date(2016, 2, 3), datetime(2016, 2, 3, 5), "2016-02-03", "2016-02-03T23:00:00Z"], "2016-02-03"),
        ("datetime", [datetime(2016, 2, 3, tzinfo=UTC), "2016-02-03", "2016-02-03T00:00:00+00:00"], MIDNIGHT),
        ("text", ["a ", b"a ", memoryview(b"a ")], "a "),
        (lambda key: str(key).casefold(), ["ACME", "Acme"], "acme"),
        (["int", "text"], [(5, "a"), ["05", "a"], '[5, "a"]'], "5 | a"),
    ],
    ids=named,
)
def test_a_declared_rule_brings_keys_to_one_text(rule, keys, text):
    assert {key_rule(rule)(key) for key in keys} == {text}


def test_the_rule_text_keeps_keys_apart_that_auto_joins():
    assert counts_from_rows("DB", [("a", 1), ("a ", 2)], "text") == {"a": 1, "a ": 2}
    assert counts_from_rows("DB", [("a", 1), ("a ", 2)]) == {"a": 3}


@pytest.mark.parametrize(
    ("rule", "key", "says"),
    [
        ("int", "abc", "the key 'abc' is no key by the rule 'int' \\(ValueError: it is not a whole number\\)"),
        ("int", 5.5, "it is not a whole number"),
        ("uuid", "5", "the key '5' is no key by the rule 'uuid'"),
        ("bool", "maybe", "it is neither true nor false"),
        ("datetime", "yesterday", "the key 'yesterday' is no key by the rule 'datetime'"),
        (["int", "text"], [5], "it does not have 2 parts"),
        (len, 5, "the key 5 is no key by the rule len \\(TypeError"),
    ],
    ids=named,
)
def test_a_key_that_does_not_fit_its_rule_names_stage_and_rule(rule, key, says):
    value = {tuple(key) if isinstance(key, list) else key: 1}
    with pytest.raises(UnusableCounts, match=f"Stage 'DB' gave no usable counts: .*{says}"):
        counts_from_value("DB", value, rule)


def test_expected_keys_follow_the_rule():
    assert keys_from_value(["05", 6], "int") == ["5", "6"]


@pytest.mark.parametrize("rule", ["integer", [], ["int", "number"]], ids=str)
def test_a_rule_that_there_is_not_is_refused(rule):
    with pytest.raises(ValueError, match="key is"):
        key_rule(rule)


@pytest.mark.parametrize(
    ("keys", "ordered"),
    [
        (["56", "7", "12", "-1"], ["-1", "7", "12", "56"]),
        (["b", "10", "9"], ["10", "9", "b"]),
        (["²", "1"], ["1", "²"]),
        (["1", "9" * 5000, "-" + "8" * 5000, "-2", "007"], ["-" + "8" * 5000, "-2", "1", "007", "9" * 5000]),
        (["-" + "12" * 20, "-" + "13" * 20], ["-" + "13" * 20, "-" + "12" * 20]),
        (["b", NULL], [NULL, "b"]),
        ([], []),
    ],
    ids=["numbers", "mixed", "a digit that is not a number", "long numbers", "long negative ones", "NULL", "none"],
)
def test_keys_sort_as_numbers_when_all_are(keys, ordered):
    assert in_key_order(keys) == ordered
