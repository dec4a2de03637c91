"""Every kind of value into every database and back, and what each refuses."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from airflow_agari_provider.avro.columns import Column, UnsupportedAvroType
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.errors import NoUniqueKey, UnstorableValue
from airflow_agari_provider.databases.statements import create_table, query, transaction
from tests.databases.loading import ID, KEYED, NAME, every_way, family, loaded, rows_of

INSTANT = datetime(2016, 4, 28, 5, 0, 0, 123456, UTC)
LOCAL = datetime(2016, 4, 28, 5, 0, 0, 123456)
TEXT = "a'b\"c\\d\te\nf\r\\N\\.ü😀 "
DECIMAL = Decimal("-12345678.9012")


MIDNIGHT = datetime(2016, 4, 28, tzinfo=UTC)
NESTED = {"a": [1, None, "x\n\\ü"], "b": b"\xff", "c": INSTANT, "d": DECIMAL, "e": True}
NESTED_TEXT = (
    '{"a":[1,null,"x\\n\\\\ü"],"b":"/w==","c":"2016-04-28T05:00:00.123456+00:00","d":"-12345678.9012","e":true}'
)
BYTES = b"\0\xff\\'\n"
# What goes in, and what PostgreSQL, MySQL and SQLite give back; once where all give back what went in.
VALUES: list[tuple[Column, Any, tuple[Any, ...]]] = [
    (Column("a_boolean", None, "boolean"), True, (True, 1, 1)),
    (Column("an_integer", None, "integer"), -(2**31), ()),
    (Column("a_long", None, "long"), 2**63 - 1, ()),
    (Column("a_double", None, "double"), 1 / 3, ()),
    (Column("a_large_double", None, "double"), 1.7e308, ()),
    (Column("some_bytes", None, "bytes"), BYTES, ()),
    (Column("no_bytes", None, "bytes"), b"", ()),
    (Column("a_text", None, "text"), TEXT, ()),
    (Column("an_empty_text", None, "text"), "", ()),
    (Column("a_text_like_null", None, "text"), r"\N", ()),
    (Column("a_decimal", None, "decimal", precision=12, scale=4), DECIMAL, (DECIMAL, DECIMAL, "-12345678.9012")),
    (Column("a_uuid", None, "uuid"), UUID(int=5), (UUID(int=5), str(UUID(int=5)), str(UUID(int=5)))),
    (Column("a_date", None, "date"), date(2016, 4, 28), (date(2016, 4, 28), date(2016, 4, 28), "2016-04-28")),
    (Column("an_instant", None, "instant"), INSTANT, (INSTANT, LOCAL, "2016-04-28T05:00:00.123456+00:00")),
    (
        Column("a_midnight", None, "instant"),
        MIDNIGHT,
        (MIDNIGHT, MIDNIGHT.replace(tzinfo=None), "2016-04-28T00:00:00.000000+00:00"),  # sorts with the others
    ),
    (Column("a_local_time", None, "local_time"), LOCAL, (LOCAL, LOCAL, "2016-04-28T05:00:00.123456")),
    (
        Column("some_json", None, "json"),
        NESTED,
        (
            NESTED | {"b": "/w==", "c": "2016-04-28T05:00:00.123456+00:00", "d": "-12345678.9012"},
            NESTED_TEXT,
            NESTED_TEXT,
        ),
    ),
    (Column("a_null", None, "null"), None, ()),
]


def as_bytes_and_uuid(value: Any, expected: Any) -> Any:
    """psycopg2 gives memory for bytes and text for a UUID."""
    if isinstance(value, memoryview):
        return bytes(value)
    return UUID(str(value)) if isinstance(expected, UUID) else value


@every_way
def test_every_value_comes_back_without_loss(connection):
    target = Target("t", tuple(column for column, _, _ in VALUES))
    rows = [[value for _, value, _ in VALUES], [None] * len(VALUES)]
    assert loaded(connection, target, rows) == 2
    found = query(connection, "SELECT * FROM t WHERE a_long IS NOT NULL")[0]
    position = ["postgres", "mysql", "sqlite"].index(family(connection))
    expected = [results[position] if results else value for _, value, results in VALUES]
    assert list(map(as_bytes_and_uuid, found, expected)) == expected
    assert query(connection, "SELECT * FROM t WHERE a_long IS NULL") == [(None,) * len(VALUES)]


@every_way
def test_a_float_keeps_its_32_bits(connection):
    loaded(connection, Target("t", (ID, Column("v", "v", "float"))), [(1, 0.10000000149011612)])
    assert query(connection, "SELECT v FROM t")[0][0] == pytest.approx(0.1, abs=1e-7)


@every_way
def test_a_time_of_day_comes_back(connection):
    loaded(connection, Target("t", (ID, Column("v", "v", "time"))), [(1, time(5, 1, 2, 3))])
    ((_, found),) = rows_of(connection)
    assert str(found) in ("05:01:02.000003", "5:01:02.000003")


@every_way
def test_batches_add_up_and_an_empty_one_does_no_harm(connection):
    assert loaded(connection, Target("t", (ID,)), [(1,), (2,)], [], [(3,)]) == 3
    assert rows_of(connection) == [(1,), (2,), (3,)]


@every_way
def test_no_rows_at_all_are_none(connection):
    assert loaded(connection, Target("t", (ID,))) == 0
    assert loaded(connection, Target("u", (ID,), ("id",))) == 0


@every_way
def test_columns_that_are_not_loaded_take_their_defaults(connection):
    dialect = dialect_of(connection)
    create_table(dialect, connection, Target("t", (ID, Column("verdict", None, "integer"))))
    connection.cursor().execute("ALTER TABLE t ADD COLUMN stars INTEGER NOT NULL DEFAULT 5")
    assert loaded(connection, Target("t", (ID,)), [(1,)]) == 1
    assert rows_of(connection) == [(1, None, 5)]


@every_way
def test_an_upsert_replaces_rows_of_the_same_key(connection):
    assert loaded(connection, KEYED, [(1, "a", 1), (1, "b", 1)]) == 2
    assert loaded(connection, KEYED, [(1, "b", 2), (2, "b", 2)]) == 2
    assert rows_of(connection) == [(1, "a", 1), (1, "b", 2), (2, "b", 2)]


@every_way
def test_of_rows_with_the_same_key_the_last_stays(connection):
    rows = [(key, "x", number) for number in range(300) for key in (1, 2, 3)]
    assert loaded(connection, KEYED, rows[:450], rows[450:]) == 900
    assert rows_of(connection) == [(1, "x", 299), (2, "x", 299), (3, "x", 299)]


def test_an_upsert_of_nothing_but_keys_counts_its_rows(connection):
    target = Target("t", (ID,), ("id",))
    assert loaded(connection, target, [(1,), (2,)]) == 2
    assert loaded(connection, target, [(2,), (3,)]) == 2
    assert rows_of(connection) == [(1,), (2,), (3,)]


def test_keys_that_differ_in_case_are_two(connection):
    assert loaded(connection, KEYED, [(1, "a", 1), (1, "A", 2)]) == 2
    assert len(rows_of(connection)) == 2


@every_way
def test_a_failure_between_batches_leaves_nothing(connection):
    """... and is told as it is, not as the driver's own error."""

    def batches() -> Any:
        yield [(1, "a", 1)]
        raise UnstorableValue("v", "broken")

    dialect = dialect_of(connection)
    create_table(dialect, connection, KEYED)
    for target in (KEYED, Target("t", KEYED.columns)):
        source = (Batch(len(rows), tuple(zip(*rows, strict=True))) for rows in batches())
        with pytest.raises(UnstorableValue, match="broken"), transaction(dialect, connection):
            dialect.load(connection, target, source)
        assert rows_of(connection) == []


@every_way
@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(1, "a", None), (1, "a", None)], id="a key twice"),
        pytest.param([(None, "a", 1)], id="no value where one has to be"),
    ],
)
def test_rows_that_the_database_refuses_are_the_rows_fault(connection, rows):
    dialect = dialect_of(connection)
    create_table(dialect, connection, KEYED)
    with pytest.raises(dialect.driver.Error) as caught:
        loaded(connection, Target("t", KEYED.columns), rows)
    assert dialect.fault(caught.value) == "rows"


@every_way
def test_a_number_too_large_for_its_column_is_kept_or_the_rows_fault(connection):
    dialect = dialect_of(connection)
    if family(connection) == "sqlite":
        assert loaded(connection, KEYED, [(2**40, "a", 1)]) == 1
        assert rows_of(connection) == [(2**40, "a", 1)]
    else:
        with pytest.raises((dialect.driver.Error, UnstorableValue)) as caught:
            loaded(connection, KEYED, [(2**40, "a", 1)])
        assert isinstance(caught.value, UnstorableValue) or dialect.fault(caught.value) == "rows"
        assert rows_of(connection) == []


@every_way
def test_text_with_a_zero_byte_is_kept_or_the_rows_fault(connection):
    target = Target("t", (ID, NAME))
    if family(connection) == "postgres":
        dialect = dialect_of(connection)
        with pytest.raises(dialect.driver.Error) as caught:
            loaded(connection, target, [(1, "a\0b")])
        assert dialect.fault(caught.value) == "rows"
    else:
        loaded(connection, target, [(1, "a\0b")])
        assert rows_of(connection) == [(1, "a\0b")]


@every_way
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_a_number_that_is_none_is_kept_or_refused(connection, number):
    target = Target("t", (ID, Column("v", "v", "double")))
    refuses = {"postgres": False, "mysql": True, "sqlite": number != number}[family(connection)]
    if refuses:
        with pytest.raises(UnstorableValue, match="'v'"):
            loaded(connection, target, [(1, None), (2, 0.0), (3, number)])
    else:
        loaded(connection, target, [(3, number)])
        assert str(rows_of(connection)) == str([(3, number)])


@every_way
def test_json_without_numbers_that_are_none(connection):
    with pytest.raises(UnstorableValue, match="JSON"):
        loaded(connection, Target("t", (ID, Column("v", "v", "json"))), [(1, [float("nan")])])


def test_a_type_that_the_database_would_cut_is_refused(connection):
    cases = {
        "postgres": [Column("v" * 64, "v", "integer"), Column("v", "v", "decimal", precision=1001)],
        "mysql": [Column("v" * 65, "v", "integer"), Column("v", "v", "decimal", precision=66)],
        "sqlite": [],
    }
    for column in cases[family(connection)]:
        with pytest.raises(UnsupportedAvroType):
            loaded(connection, Target("t", (column,)))


def test_json_makes_no_key(connection):
    with pytest.raises(UnsupportedAvroType, match="key"):
        loaded(connection, Target("t", (Column("v", "v", "json"),), ("v",)))


def test_an_upsert_needs_a_key_in_the_table(connection):
    dialect = dialect_of(connection)
    create_table(dialect, connection, Target("t", KEYED.columns))
    with pytest.raises((dialect.driver.Error, NoUniqueKey)) as caught:
        loaded(connection, KEYED, [(1, "a", 1)])
    if not isinstance(caught.value, NoUniqueKey):
        assert dialect.fault(caught.value) == "target"
    assert rows_of(connection) == []


def test_upserts_of_the_same_keys_in_other_orders_do_not_deadlock(connect, connection):
    """Two importers whose objects hold the same keys, one from the first to the last and one the other way."""
    dialect = dialect_of(connection)
    create_table(dialect, connection, KEYED)
    rows = [(number, "x", number) for number in range(3000)]
    start = threading.Barrier(2, timeout=30)

    def upsert(own: list[tuple[int, str, int]]) -> None:
        with closing(connect()) as mine:
            for _ in range(3):
                start.wait()
                with transaction(dialect, mine):
                    assert dialect.load(mine, KEYED, [Batch(len(own), tuple(zip(*own, strict=True)))]) == 3000

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(upsert, rows), pool.submit(upsert, rows[::-1])]:
            done.result()
    assert query(connection, "SELECT COUNT(*) FROM t") == [(3000,)]


def test_a_table_is_there_or_not(connection):
    dialect = dialect_of(connection)
    assert not dialect.table_exists(connection, "t")
    create_table(dialect, connection, KEYED)
    assert dialect.table_exists(connection, "t")
    schema = {"postgres": "public", "sqlite": "main", "mysql": query(connection, "SELECT 'x'")[0][0]}[
        family(connection)
    ]
    if family(connection) == "mysql":
        ((schema,),) = query(connection, "SELECT DATABASE()")
    assert dialect.table_exists(connection, f"{schema}.t")
    assert not dialect.table_exists(connection, f"{schema}.u")
