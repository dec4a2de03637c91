from __future__ import annotations

import json
import pickle

import boto3
import pytest
from botocore.stub import Stubber

from airflow_agari_provider.streams.compatibility import why_incompatible
from airflow_agari_provider.streams.confluent_registry import ConfluentRegistry
from airflow_agari_provider.streams.errors import IncompatibleSchema, RegistryFailed, UnknownSchema
from airflow_agari_provider.streams.glue_registry import GlueRegistry, GlueSchemas
from airflow_agari_provider.streams.registry import HttpServer, KnownSchemas
from airflow_agari_provider.streams.registry_requests import RegistryRequests
from airflow_agari_provider.streams.schema_folder import S3SchemaFolder, fingerprint
from tests.streams.collector_config import COLLECTOR_CONFIG, with_field
from tests.streams.registry_server import registry_server

SUBJECT = "com.agari.collector_config"
MISSING = {
    "glue": "b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63",
    "confluent": "77",
    "folder": "0123456789abcdef",
}


class Access:
    """Connections of a test."""

    def __init__(self, endpoint, server=None):
        self._endpoint, self._server = endpoint, server

    def aws(self, service):
        return boto3.client(service, endpoint_url=self._endpoint, region_name="us-east-1")

    def http(self, conn_id):
        return HttpServer(self._server.url, ("user", "pass word"))


@pytest.fixture
def server():
    with registry_server() as server:
        yield server


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


def test_a_registry_with_a_login_gets_it_and_no_error_shows_it(server):
    registry = ConfluentRegistry().opened(Access("", server))
    assert registry.schema("77") is None
    assert server.requests[0][2] == "Basic dXNlcjpwYXNzIHdvcmQ="
    server.statuses = [403]
    with pytest.raises(RegistryFailed) as caught:
        registry.schema("77")
    assert "it answered 403 for schema 77" in str(caught.value)
    assert "pass" not in str(caught.value)


def test_a_registry_that_cannot_answer_now_is_asked_again(server):
    waits = []
    requests = RegistryRequests(HttpServer(server.url), "the registry", waits.append)
    server.statuses = [503, 429]
    assert requests.ask("GET", "/schemas/ids/77")[0] == 404
    assert waits == [0.5, 1.0]
    server.statuses = [500] * 9
    with pytest.raises(RegistryFailed, match="it answered 500"):
        requests.ask("GET", "/schemas/ids/77")
    assert len(server.statuses) == 5


def test_a_registry_that_is_not_there_is_told_without_its_password():
    requests = RegistryRequests(HttpServer("http://127.0.0.1:9", ("u", "secret")), "the registry", lambda seconds: None)
    with pytest.raises(RegistryFailed) as caught:
        requests.ask("GET", "/schemas/ids/1")
    assert str(caught.value) == "the registry: it does not answer (ConnectionError)."


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


def test_a_file_of_the_folder_that_holds_another_schema_is_told(s3, bucket):
    folder = S3SchemaFolder(f"s3://{bucket}/schemas").opened(Access(s3.meta.endpoint_url))
    for text, told in ((b'"long"', "holds another schema, whose fingerprint is"), (b"{", "is not an Avro schema")):
        s3.put_object(Bucket=bucket, Key="schemas/8f5c393f1ad57572.avsc", Body=text)
        with pytest.raises(RegistryFailed, match=told):
            folder.schema("8f5c393f1ad57572")


def test_a_schema_has_one_fingerprint_whatever_its_docs():
    told = COLLECTOR_CONFIG | {"doc": "Settings of a collector."}
    assert fingerprint(told) == fingerprint(COLLECTOR_CONFIG) != fingerprint(with_field("a", "int"))


@pytest.mark.parametrize(
    ("mode", "new", "problem"),
    [
        ("backward", with_field("region", "string", default="us"), None),
        ("backward", with_field("region", "string"), "region"),
        ("forward", with_field("region", "string"), None),
        ("full", with_field("region", "string"), "region"),
        ("none", "int", None),
        ("backward", COLLECTOR_CONFIG | {"fields": COLLECTOR_CONFIG["fields"][:2]}, None),
        ("full", COLLECTOR_CONFIG | {"fields": COLLECTOR_CONFIG["fields"][1:]}, "collector_id"),
    ],
)
def test_a_new_version_fits_or_the_reason_names_the_field(mode, new, problem):
    found = why_incompatible(new, COLLECTOR_CONFIG, mode)
    assert found is None if problem is None else problem in found


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


def test_glue_s_own_check_is_waited_for():
    glue, version = boto3.client("glue", region_name="us-east-1"), MISSING["glue"]
    with Stubber(glue) as stub:
        stub.add_response("register_schema_version", {"SchemaVersionId": version, "Status": "PENDING"})
        stub.add_response("get_schema_version", {"SchemaVersionId": version, "Status": "PENDING"})
        stub.add_response("get_schema_version", {"SchemaVersionId": version, "Status": "FAILURE"})
        waits = []
        with pytest.raises(IncompatibleSchema, match="Glue's check of the compatibility failed"):
            GlueSchemas(glue, "agari", sleep=waits.append).register(SUBJECT, COLLECTOR_CONFIG)
    assert waits == [1, 1]
