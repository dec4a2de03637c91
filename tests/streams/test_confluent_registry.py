"""What only a registry with Confluent's API does; ``test_registry.py`` runs over all registries."""

from __future__ import annotations

import json

import pytest

from airflow_agari_provider.streams.confluent_registry import ConfluentRegistry
from airflow_agari_provider.streams.errors import IncompatibleSchema, RegistryFailed
from tests.streams.access import Access
from tests.streams.collector_config import COLLECTOR_CONFIG

SUBJECT = "com.agari.collector_config"


def test_a_registry_with_a_login_gets_it_and_no_error_shows_it(server):
    registry = ConfluentRegistry().opened(Access("", server))
    assert registry.schema("77") is None
    assert server.requests[0][2] == "Basic dXNlcjpwYXNzIHdvcmQ="
    server.statuses = [403]
    with pytest.raises(RegistryFailed) as caught:
        registry.schema("77")
    assert "it answered 403 for schema 77" in str(caught.value)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("answer", [{"schema": "{"}, {"nothing": 1}, {"schema": None}], ids=["cut", "none", "null"])
def test_an_answer_without_a_schema_is_no_unknown_id(server, answer):
    server.schemas[1] = answer
    with pytest.raises(RegistryFailed, match="holds no schema"):
        ConfluentRegistry().opened(Access("", server)).schema("1")


def test_a_schema_that_is_not_avro_is_refused(server):
    number = server.add(SUBJECT, {}, schemaType="PROTOBUF")
    with pytest.raises(RegistryFailed, match="is PROTOBUF, not AVRO"):
        ConfluentRegistry().opened(Access("", server)).schema(str(number))


def test_a_schema_with_references_is_asked_for_with_them(server):
    number = server.add(SUBJECT, "netblock", references=[{"name": "n"}], resolved=json.dumps(COLLECTOR_CONFIG))
    assert ConfluentRegistry().opened(Access("", server)).schema(str(number)) == COLLECTOR_CONFIG


@pytest.mark.parametrize("answer", [[], ["x"], "x", None, 5], ids=str)
def test_an_answer_of_another_kind_is_told_with_what_it_is(server, answer):
    server.schemas[1] = answer
    with pytest.raises(RegistryFailed, match="it answered 200 for schema 1: "):
        ConfluentRegistry().opened(Access("", server)).schema("1")


def test_a_schema_that_is_nested_without_end_is_none(server):
    server.schemas[1] = {"schema": "[" * 100_000}
    with pytest.raises(RegistryFailed, match="holds no schema"):
        ConfluentRegistry().opened(Access("", server)).schema("1")


@pytest.mark.parametrize("subject", ["a/b c", "żółw", "a?b#c"])
def test_a_subject_with_odd_characters_is_one_part_of_the_path(server, subject):
    registry = ConfluentRegistry(subject=subject).opened(Access("", server))
    assert registry.schema(registry.register(subject, COLLECTOR_CONFIG)) == COLLECTOR_CONFIG
    assert list(server.subjects) == [subject]


def test_reasons_without_end_are_cut(server):
    server.add(SUBJECT, COLLECTOR_CONFIG)
    server.incompatible = ["x" * 9999]
    with pytest.raises(IncompatibleSchema) as caught:
        ConfluentRegistry().opened(Access("", server)).register(SUBJECT, COLLECTOR_CONFIG)
    assert len(str(caught.value)) < 1300
