"""An import's transaction begins again where another one was in its way, and where quarantine lets it be careful."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.ledger import ClaimedMeanwhile
from airflow_agari_provider.avro_import.transactions import ImportTransactions
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import query
from airflow_agari_provider.exceptions import AgariError, BadAvro
from airflow_agari_provider.s3.errors import MissingObject

QUARANTINE: dict[str, Any] = {"on_bad_block": "quarantine", "quarantine_url": "s3://agari/quarantine"}
DEADLOCK = "DO $$ BEGIN RAISE 'in the way' USING ERRCODE = '40P01'; END $$"
REFUSED = "SELECT 1 / 0"  # of the class of errors that rows make
NO_TABLE = "SELECT 1 FROM nowhere"
CLAIMED = ClaimedMeanwhile("it is there")
BAD = BadAvro("s3://agari/a.avro", 0, "no Avro")
GONE = MissingObject("s3://agari/a.avro")


@pytest.fixture
def tried(connect: Callable[[], Any]) -> Callable[..., tuple[list[bool], str]]:
    """Tries what fails in one way after the other; whether each attempt was a careful one, and the last one's error."""

    def tried(job: dict[str, Any], failures: list[str | Exception]) -> tuple[list[bool], str]:
        attempts: list[bool] = []

        def attempt(careful: bool) -> None:
            attempts.append(careful)
            with transactions.of_object("s3://agari/a.avro"):
                if len(attempts) <= len(failures):
                    failure = failures[len(attempts) - 1]
                    if isinstance(failure, Exception):
                        raise failure
                    query(connection, failure)

        with closing(connect()) as connection:
            transactions = ImportTransactions(dialect_of(connection), connection, ImportJob("t", "r", **job))
            try:
                transactions.tried(attempt)
            except (AgariError, transactions.dialect.driver.Error) as error:
                return attempts, type(error).__name__
        return attempts, ""

    return tried


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
@pytest.mark.parametrize(
    ("job", "failures", "attempts", "error"),
    [
        pytest.param({}, [], [False], "", id="sound"),
        pytest.param({}, [DEADLOCK, CLAIMED, DEADLOCK, CLAIMED], [False] * 5, "", id="conflicts"),
        pytest.param({}, [DEADLOCK] * 5, [False] * 5, "DeadlockDetected", id="a conflict too many"),
        pytest.param({}, [CLAIMED] * 5, [False] * 5, "ClaimedMeanwhile", id="a claim too many"),
        pytest.param({}, [NO_TABLE], [False], "UndefinedTable", id="the table's fault"),
        pytest.param({}, [BAD], [False], "BadAvro", id="bad"),
        pytest.param({}, [REFUSED], [False], "RowsRefused", id="refused"),
        pytest.param(QUARANTINE, [BAD], [False, True], "", id="bad, to quarantine"),
        pytest.param(QUARANTINE, [REFUSED], [False, True], "", id="refused, to quarantine"),
        pytest.param(QUARANTINE, [BAD, DEADLOCK], [False, True, True], "", id="a conflict of the careful one"),
        pytest.param(QUARANTINE, [*[DEADLOCK] * 4, BAD], [*[False] * 5, True], "", id="bad after conflicts"),
        pytest.param(QUARANTINE, [BAD, BAD], [False, True], "BadAvro", id="bad in the header"),
        pytest.param(QUARANTINE, [GONE], [False], "MissingObject", id="nothing to quarantine"),
    ],
)
def test_a_transaction_is_tried_again_where_that_helps(tried, job, failures, attempts, error):
    assert tried(job, failures) == (attempts, error)
