from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.exceptions import UnimportableObject
from airflow_agari_provider.streams.errors import BadPayload, IncompatibleSchema, RegistryFailed, UnknownSchema

ERRORS = [
    (BadPayload("it has no bytes"), "it has no bytes"),
    (UnknownSchema("the registry x", "77", "collectors"), "A record of stream collectors was written with schema 77,"),
    (RegistryFailed("the registry x", "it answered 403"), "the registry x: it answered 403."),
    (IncompatibleSchema("the registry x", "ü.s", "no default"), "did not register the schema as 'ü.s': no default."),
]


@pytest.mark.parametrize(("error", "says"), ERRORS, ids=[type(error).__name__ for error, _ in ERRORS])
def test_an_error_says_what_and_where_and_survives_the_way_between_processes(error, says):
    assert says in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))


def test_only_a_registry_that_failed_may_answer_later():
    assert [isinstance(error, UnimportableObject) for error, _ in ERRORS] == [True, True, False, False]


def test_a_reason_without_end_is_cut():
    assert len(str(IncompatibleSchema("r", "s", "x" * 100_000))) < 1300
