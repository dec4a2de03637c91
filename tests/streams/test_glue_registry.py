"""Answers of Glue that moto does not give; ``test_registry.py`` runs over the Glue of moto."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from airflow_agari_provider.streams.errors import IncompatibleSchema, RegistryFailed
from airflow_agari_provider.streams.glue_registry import GlueSchemas
from tests.streams.collector_config import COLLECTOR_CONFIG

SUBJECT = "com.agari.collector_config"
VERSION = "b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63"
ARN = "arn:aws:glue:us-east-1:123456789012:schema/"


def glue_answering(*answers):
    """GlueSchemas of a registry, and the stub of its answers; ``schema()`` asks for one of them."""
    glue = boto3.client("glue", region_name="us-east-1")
    stub = Stubber(glue)
    for answer in answers:
        stub.add_response("get_schema_version", answer)
    return glue, stub


def test_glue_s_own_check_is_waited_for():
    glue, version = boto3.client("glue", region_name="us-east-1"), VERSION
    with Stubber(glue) as stub:
        stub.add_response("register_schema_version", {"SchemaVersionId": version, "Status": "PENDING"})
        stub.add_response("get_schema_version", {"SchemaVersionId": version, "Status": "PENDING"})
        stub.add_response("get_schema_version", {"SchemaVersionId": version, "Status": "FAILURE"})
        waits = []
        with pytest.raises(IncompatibleSchema, match="Glue's check of the compatibility failed"):
            GlueSchemas(glue, "agari", sleep=waits.append).register(SUBJECT, COLLECTOR_CONFIG)
    assert waits == [1, 1]


@pytest.mark.parametrize(
    ("arn", "schema_name", "found"),
    [
        ("agari/collectors", None, True),
        ("agari/collectors", "collectors", True),
        ("agari/collectors/2", "collectors/2", True),
        ("agari/collectors", "collector", False),
        ("agari-2/collectors", None, False),
        ("agari", None, True),
        ("", None, False),
    ],
)
def test_only_versions_of_the_registry_and_the_schema_that_are_meant_are_known(arn, schema_name, found):
    glue, stub = glue_answering({"SchemaArn": ARN + arn, "DataFormat": "AVRO", "SchemaDefinition": '"long"'})
    with stub:
        assert GlueSchemas(glue, "agari", schema_name).schema(VERSION) == ("long" if found else None)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"DataFormat": "JSON", "SchemaDefinition": "{}"}, "is JSON, not AVRO"),
        ({"DataFormat": "AVRO", "SchemaDefinition": "{"}, "is not JSON"),
        ({"DataFormat": "AVRO", "SchemaDefinition": "[" * 100_000}, "is not JSON"),
    ],
    ids=["another format", "cut", "nested without end"],
)
def test_what_is_no_avro_schema_is_told(answer, says):
    glue, stub = glue_answering({"SchemaArn": f"{ARN}agari/x", **answer})
    with stub, pytest.raises(RegistryFailed, match=says):
        GlueSchemas(glue, "agari").schema(VERSION)


def test_a_check_that_does_not_end_is_given_up_and_not_taken_for_registered():
    pending = {"SchemaVersionId": VERSION, "Status": "PENDING"}
    glue, stub = glue_answering()
    stub.add_response("register_schema_version", pending)
    for _ in range(30):
        stub.add_response("get_schema_version", pending)
    waits = []
    with stub, pytest.raises(RegistryFailed, match=f"schema version {VERSION} is PENDING after 30 s"):
        GlueSchemas(glue, "agari", sleep=waits.append).register(SUBJECT, COLLECTOR_CONFIG)
    assert sum(waits) == 30
