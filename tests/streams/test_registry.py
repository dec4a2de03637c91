"""What all registries do alike, and what keeps their schemas in front of them."""

from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.streams import registry as registry_module
from airflow_agari_provider.streams.confluent_registry import ConfluentRegistry
from airflow_agari_provider.streams.errors import IncompatibleSchema, UnknownSchema
from airflow_agari_provider.streams.glue_registry import GlueRegistry
from airflow_agari_provider.streams.registry import KnownSchemas
from airflow_agari_provider.streams.schema_folder import S3SchemaFolder
from tests.streams.access import Access
from tests.streams.collector_config import COLLECTOR_CONFIG, with_field

SUBJECT = "com.agari.collector_config"
MISSING = {
    "glue": "b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63",
    "confluent": "77",
    "folder": "0123456789abcdef",
}


@pytest.fixture(params=["glue", "confluent", "folder"])
def kind(request):
    return request.param


@pytest.fixture
def registry(kind, aws, bucket, server):
    access = Access(aws, server)
    if kind == "glue":
        access.aws("glue").create_registry(RegistryName="agari")
        return GlueRegistry("agari").opened(access)
    return (ConfluentRegistry() if kind == "confluent" else S3SchemaFolder(f"s3://{bucket}/schemas/")).opened(access)


def test_a_schema_is_found_by_the_id_under_which_it_was_registered(registry):
    first = registry.register(SUBJECT, COLLECTOR_CONFIG)
    newer = with_field("region", "string", default="us")
    second = registry.register(SUBJECT, newer)
    assert first != second
    assert (registry.schema(first), registry.schema(second)) == (COLLECTOR_CONFIG, newer)


def test_an_unknown_id_is_an_error_that_names_registry_id_and_stream(registry, kind):
    known = KnownSchemas(registry, "collectors")
    with pytest.raises(UnknownSchema) as caught:
        known.schema(MISSING[kind])
    for part in (registry.name, MISSING[kind], "collectors"):
        assert part in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_each_id_is_asked_for_once_and_an_unknown_one_too(server):
    known = KnownSchemas(ConfluentRegistry().opened(Access("", server)), "collectors")
    number = str(server.add(SUBJECT, COLLECTOR_CONFIG))
    for _ in range(3):
        assert known.schema(number) == COLLECTOR_CONFIG
        with pytest.raises(UnknownSchema):
            known.schema("77")
    assert [path for _, path, _ in server.requests] == ["/schemas/ids/1", "/schemas/ids/77"]


def test_a_schema_of_another_subject_counts_as_unknown(server, aws):
    number = str(server.add(SUBJECT, COLLECTOR_CONFIG))
    access = Access(aws, server)
    assert ConfluentRegistry(subject=SUBJECT).opened(access).schema(number) == COLLECTOR_CONFIG
    assert ConfluentRegistry(subject="other").opened(access).schema(number) is None
    access.aws("glue").create_registry(RegistryName="agari")
    version = GlueRegistry("agari").opened(access).register(SUBJECT, COLLECTOR_CONFIG)
    assert GlueRegistry("agari", SUBJECT).opened(access).schema(version) == COLLECTOR_CONFIG
    assert GlueRegistry("agari", "other").opened(access).schema(version) is None
    assert GlueRegistry("another").opened(access).schema(version) is None


def test_a_schema_that_does_not_fit_is_not_registered(s3, bucket, server):
    server.add(SUBJECT, COLLECTOR_CONFIG)
    server.incompatible = ["READER_FIELD_MISSING_DEFAULT_VALUE"]
    access = Access(s3.meta.endpoint_url, server)
    with pytest.raises(IncompatibleSchema, match="READER_FIELD_MISSING_DEFAULT_VALUE"):
        ConfluentRegistry().opened(access).register(SUBJECT, with_field("region", "string"))
    assert len(server.schemas) == 1
    folder = S3SchemaFolder(f"s3://{bucket}/schemas").opened(access)
    first = folder.register(SUBJECT, COLLECTOR_CONFIG)
    with pytest.raises(IncompatibleSchema, match=rf"beside {first}\.avsc.*region"):
        folder.register(SUBJECT, with_field("region", "string"))
    with pytest.raises(IncompatibleSchema, match=r"own name is 'com\.agari.collector_config'"):
        folder.register("other", COLLECTOR_CONFIG)
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [f"schemas/{first}.avsc"]


class Registry:
    """Has a schema for each even number, and counts how often it is asked."""

    name, wire_format = "the registry", "confluent"

    def __init__(self):
        self.asked = 0

    def schema(self, schema_id):
        self.asked += 1
        return None if int(schema_id) % 2 else {"type": "long", "n": schema_id}


def test_no_more_schemas_are_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(registry_module, "KNOWN_SCHEMAS", 4)
    inner = Registry()
    known = KnownSchemas(inner, "collectors")
    for number in range(5):
        for _ in range(3):
            if number % 2:
                with pytest.raises(UnknownSchema):
                    known.schema(str(number))
            else:
                assert known.schema(str(number))["n"] == str(number)
    assert inner.asked == 5
    assert len(known._known) <= 4
    known.schema("0")
    assert inner.asked == 6


def test_a_schema_that_is_only_null_or_empty_is_one():
    class Odd(Registry):
        def schema(self, schema_id):
            self.asked += 1
            return {"a": "null", "b": {}, "c": []}[schema_id]

    inner = Odd()
    known = KnownSchemas(inner, "collectors")
    assert [known.schema(one) for one in "abcabc"] == ["null", {}, []] * 2
    assert inner.asked == 3
