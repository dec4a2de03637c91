from __future__ import annotations

from typing import Any

import pytest

from airflow_agari_provider.avro_import.joint_load import SMALL_BYTES
from airflow_agari_provider.avro_import.letters import Letter, are_small, can_share
from airflow_agari_provider.s3.notifications import ObjectReference
from airflow_agari_provider.s3.objects import FoundObject


def named(key: str = "a", etag: str | None = "e", size: int | None = 5, version: str | None = None) -> ObjectReference:
    return ObjectReference("b", key, version, etag, size, "ObjectCreated:Put")


@pytest.mark.parametrize(
    ("letter", "small"),
    [
        (Letter("1", [named(), named("b")]), True),
        (Letter("1", []), True),
        (Letter("1", [named()], again=True), False),
        (Letter("1", [named(size=SMALL_BYTES + 1)]), False),
        (Letter("1", [named(size=None)]), True),
    ],
)
def test_more_messages_are_received_only_while_they_are_small_and_new(letter, small):
    assert are_small([Letter("0", [named()]), letter]) is small


@pytest.mark.parametrize(
    ("letters", "shared"),
    [
        pytest.param([Letter("1", [named()])], [FoundObject("b", "a", "e", 5)], id="known content"),
        pytest.param([Letter("1", [named(version="v")])], [FoundObject("b", "a", "e", 5, "v")], id="a version"),
        pytest.param([Letter("1", [named()]), Letter("2", [named()])], [FoundObject("b", "a", "e", 5)], id="twice"),
        pytest.param(
            [Letter("1", [named(etag="1")]), Letter("2", [named(etag="2")])],
            [FoundObject("b", "a", "1", 5)],
            id="the first content of a key",
        ),
        pytest.param([Letter("1", [named()], again=True)], [], id="received before"),
        pytest.param(
            [Letter("1", [named(etag=None, size=None)])], [FoundObject("b", "a", "", 0)], id="unknown content"
        ),
    ],
)
def test_each_key_shares_a_transaction_once(letters: Any, shared: Any):
    assert list(can_share(letters)) == shared


def test_a_letter_is_left_with_what_is_not_loaded():
    assert Letter("1", [named(), named("c")]).without({named()}) == Letter("1", [named("c")])
