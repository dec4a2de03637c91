"""What only a folder on S3 does; ``test_registry.py`` runs over all registries."""

from __future__ import annotations

import pytest

from airflow_agari_provider.streams import schema_folder
from airflow_agari_provider.streams.errors import IncompatibleSchema, RegistryFailed
from airflow_agari_provider.streams.schema_folder import S3SchemaFolder, fingerprint
from tests.streams.access import Access
from tests.streams.collector_config import COLLECTOR_CONFIG, with_field

SUBJECT = "com.agari.collector_config"


@pytest.fixture
def folder(s3, bucket):
    return lambda url="s3://agari/schemas", **more: S3SchemaFolder(url, **more).opened(Access(s3.meta.endpoint_url))


def keys(s3):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="agari").get("Contents", [])]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'"long"', "holds another schema, whose fingerprint is"),
        (b"{", "is not an Avro schema"),
        (b"[" * 100_000, "is not an Avro schema"),
    ],
    ids=["another", "cut", "nested without end"],
)
def test_a_file_of_the_folder_that_holds_another_schema_is_told(folder, s3, bucket, text, told):
    s3.put_object(Bucket=bucket, Key="schemas/8f5c393f1ad57572.avsc", Body=text)
    with pytest.raises(RegistryFailed, match=told):
        folder().schema("8f5c393f1ad57572")


def test_a_schema_has_one_fingerprint_whatever_its_docs():
    told = COLLECTOR_CONFIG | {"doc": "Settings of a collector."}
    assert fingerprint(told) == fingerprint(COLLECTOR_CONFIG) != fingerprint(with_field("a", "int"))


@pytest.mark.parametrize(
    ("url", "prefix"),
    [("s3://agari", ""), ("s3://agari/", ""), ("s3://agari/a/b", "a/b/"), ("s3://agari/a b#/", "a b#/")],
)
def test_a_schema_is_a_file_below_the_folder_that_is_named_by_its_fingerprint(folder, s3, url, prefix):
    schema_id = folder(url).register(SUBJECT, COLLECTOR_CONFIG)
    assert keys(s3) == [f"{prefix}{schema_id}.avsc"]
    assert folder(url).schema(schema_id) == COLLECTOR_CONFIG


def test_the_fingerprint_is_that_of_avro_s_specification():
    """Java's SchemaNormalization says so of these; in the order of bytes of a single object's header."""
    assert fingerprint("null") == "8a8f25cce724dd63"
    assert fingerprint({"type": "int"}) == fingerprint("int") == "8f5c393f1ad57572"


def test_other_files_of_the_folder_do_not_count(folder, s3, bucket):
    for key in ("schemas/README.md", "schemas/old/8f5c393f1ad57572.avsc", "schemas-2/8f5c393f1ad57572.avsc"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"{")
    assert folder().register(SUBJECT, COLLECTOR_CONFIG)


def test_a_full_folder_takes_no_schema_that_it_cannot_compare(folder, monkeypatch):
    monkeypatch.setattr(schema_folder, "MAX_SCHEMAS", 1)
    for number in (1, 2):
        folder().register(SUBJECT, with_field(f"f{number}", "int", default=0))
    with pytest.raises(RegistryFailed, match="it has 2 schemas; a new one is compared with 1 at most"):
        folder().register(SUBJECT, COLLECTOR_CONFIG)
    assert folder(compatibility="none").register(SUBJECT, COLLECTOR_CONFIG)


@pytest.mark.parametrize("subject", ["", "collector_config", SUBJECT + "\n", "com.agari.żółw"])
def test_a_schema_has_its_own_name(folder, subject):
    with pytest.raises(IncompatibleSchema, match="own name is"):
        folder().register(subject, COLLECTOR_CONFIG)


def test_a_mode_that_there_is_not_is_refused_at_once():
    with pytest.raises(ValueError, match="compatibility is one of backward, forward, full, none, not 'BACKWARD'"):
        S3SchemaFolder("s3://agari/schemas", "BACKWARD")
