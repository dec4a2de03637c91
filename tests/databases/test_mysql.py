"""What only MySQL and MariaDB do."""

from __future__ import annotations

import pytest

from airflow_agari_provider.avro.columns import Column, UnsupportedAvroType
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import execute, query, transaction

OPTIONAL = Column("v", "v", "instant", True, precision=6)
INTEGER = Column("v", "v", "integer")


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
