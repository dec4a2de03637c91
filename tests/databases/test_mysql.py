"""What only MySQL and MariaDB do."""

from __future__ import annotations

import pytest

from airflow_agari_provider.avro.columns import Column, UnsupportedAvroType
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.errors import NoUniqueKey, OtherUniqueKey
from airflow_agari_provider.databases.statements import execute, query, transaction
from tests.databases.loading import MYSQL

USERS = {"id": "int", "email": "string", "v": "int"}
USER = [{"id": 2, "email": "a@x", "v": 5}]
OPTIONAL = Column("v", "v", "instant", True, precision=6)
INTEGER = Column("v", "v", "integer")


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


@pytest.mark.parametrize("connect", ["mysqlclient"], indirect=True)
@pytest.mark.parametrize("explicit", [0, 1])
def test_a_time_that_mysql_would_make_up_is_refused_where_it_does(connection, explicit):
    """Older servers put the time of the clock where a timestamp lacks a value, and may not."""
    try:
        execute(connection, f"SET SESSION explicit_defaults_for_timestamp = {explicit}")
    except dialect_of(connection).driver.Error as error:
        pytest.skip(f"this server does not let a session choose: {error}")
    execute(connection, "CREATE TABLE t (v TIMESTAMP(6) NOT NULL)")
    dialect = dialect_of(connection)
    if explicit:
        dialect.require_lossless(connection, Target("t", (OPTIONAL,)))
    else:
        with pytest.raises(UnsupportedAvroType, match="stores its own time for NULL"):
            dialect.require_lossless(connection, Target("t", (OPTIONAL,)))
    dialect.require_lossless(connection, Target("t", (Column("v", "v", "instant", False, precision=6),)))


@pytest.mark.parametrize("connect", ["mysqlclient", "pymysql", "mysql.connector"], indirect=True)
def test_a_zero_stays_a_zero(connection):
    """... also in a column that makes numbers up."""
    execute(connection, "CREATE TABLE t (v INT AUTO_INCREMENT PRIMARY KEY)")
    dialect = dialect_of(connection)
    with transaction(dialect, connection):
        dialect.load(connection, Target("t", (INTEGER,)), [Batch(2, ((0, 7),))])
    assert query(connection, "SELECT v FROM t ORDER BY v") == [(0,), (7,)]
