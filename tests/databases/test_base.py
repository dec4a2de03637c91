"""What the import needs from every database, every dialect has: the same names, and the same arguments."""

from __future__ import annotations

import inspect

import pytest

from airflow_agari_provider.databases.base import Dialect, RowByRow, Target
from airflow_agari_provider.databases.generic import GenericDialect
from airflow_agari_provider.databases.mysql import MySqlDialect
from airflow_agari_provider.databases.postgres import PostgresDialect
from airflow_agari_provider.databases.sqlite import SqliteDialect
from airflow_agari_provider.databases.warehouses import RedshiftDialect, SnowflakeDialect

DIALECTS = (GenericDialect, MySqlDialect, PostgresDialect, RedshiftDialect, SnowflakeDialect, SqliteDialect)
METHODS = [name for name in vars(Dialect) if not name.startswith("_")]


def names_of(method):
    return list(inspect.signature(method).parameters)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("method", METHODS)
def test_every_dialect_takes_the_same_arguments(dialect, method):
    assert names_of(getattr(dialect, method)) == names_of(getattr(Dialect, method))


def test_there_is_something_to_compare():
    assert {"load", "load_each", "try_locks", "refuses_columns"} < set(METHODS)


def test_the_outcomes_of_two_batches_share_nothing():
    one, other = RowByRow(), RowByRow()
    one.refused.append((0, ValueError("x")))
    assert other == RowByRow(0, [])


def test_rows_are_only_added_unless_a_key_is_given():
    assert Target("t", ()).key_columns == ()
    assert hash(Target("t", (), ("id",))) == hash(Target("t", (), ("id",)))
