"""Which unique keys of a table of MySQL an upsert may have."""

from __future__ import annotations

import pytest

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.errors import NoUniqueKey, OtherUniqueKey
from airflow_agari_provider.databases.mysql_names import names_of, require_key, schema_and_name
from airflow_agari_provider.databases.statements import execute
from tests.databases.loading import MYSQL

USERS = {"id": "int", "email": "string", "v": "int"}
USER = [{"id": 2, "email": "a@x", "v": 5}]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("t", (None, "t")),
        ("s.t", ("s", "t")),
        (".t", (None, "t")),
        ("s.", ("s", "")),
        ("ü.表", ("ü", "表")),
        ("a.b.c", ("a.b", "c")),
    ],
)
def test_a_table_may_have_a_schema_before_its_name(table, expected):
    assert schema_and_name(table) == expected


def test_the_names_of_a_target_are_those_of_its_columns_in_their_order():
    assert names_of(Target("t", (Column("b", "x", "integer"), Column("a", "y", "text")))) == ["b", "a"]


@pytest.mark.parametrize("connect", [MYSQL[0]], indirect=True)
def test_a_row_is_not_upserted_over_one_that_has_another_key_in_common(imported, found):
    table = ["CREATE TABLE scored (id INT PRIMARY KEY, email VARCHAR(20), v INT, UNIQUE mails (email))"]
    before = ["INSERT INTO scored VALUES (1, 'a@x', 1)"]
    with pytest.raises(OtherUniqueKey, match="other unique keys than id: mails"):
        imported([*table, *before], USERS, USER, mode="upsert", key_columns=("id",))
    assert found() == [(1, "a@x", 1)]


@pytest.mark.parametrize("connect", MYSQL, indirect=True)
def test_keys_that_cannot_take_a_row_for_another_do_no_harm(imported, found):
    columns = "n INT AUTO_INCREMENT PRIMARY KEY, id INT UNIQUE, email VARCHAR(20), v INT, UNIQUE (id, v)"
    assert imported([f"CREATE TABLE scored ({columns})"], USERS, USER, mode="upsert", key_columns=("id",)).rows == 1
    assert found("SELECT id, email, v FROM scored") == [(2, "a@x", 5)]


@pytest.mark.parametrize("connect", [MYSQL[0]], indirect=True)
def test_a_key_of_the_first_characters_is_none_of_the_text(imported):
    table = "CREATE TABLE scored (id INT, email VARCHAR(20), v INT, UNIQUE (email(2)))"
    with pytest.raises(NoUniqueKey):
        imported([table], USERS, USER, mode="upsert", key_columns=("email",))


@pytest.mark.parametrize("connect", [MYSQL[0]], indirect=True)
def test_a_key_is_found_in_upper_and_lower_case_and_by_all_of_its_columns(connection):
    execute(connection, "CREATE TABLE scored (`Id` INT, `Ümlaut` INT, v INT, PRIMARY KEY (`Id`, `Ümlaut`))")
    columns = tuple(Column(name, name, "integer") for name in ("id", "ümlaut", "v"))
    require_key(connection, Target("scored", columns, ("ümlaut", "ID")))
    for key in (("id",), ("id", "v"), ("id", "ümlaut", "v")):
        with pytest.raises(NoUniqueKey):
            require_key(connection, Target("scored", columns, key))
