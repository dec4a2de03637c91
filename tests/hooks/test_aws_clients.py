"""The clients that all waits of a process share: how many there are, and when they are made anew."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError
from botocore.stub import Stubber

from airflow_agari_provider.hooks.aws_clients import MOST_SHARED, AwsClients, aws_session, shared_clients


@pytest.fixture
def connection(monkeypatch):
    """An AWS connection with a region, an endpoint of S3 and botocore settings of its own."""
    extra = {
        "region_name": "eu-west-1",
        "config_kwargs": {"read_timeout": 7, "connect_timeout": 3},
        "service_config": {"s3": {"endpoint_url": "http://127.0.0.1:9000"}},
    }
    value = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SCORING_AWS", json.dumps(value))
    return "scoring_aws"


@pytest.mark.parametrize(
    ("region", "expected"), [(None, "eu-west-1"), ("us-west-2", "us-west-2")], ids=["the connection's", "given"]
)
def test_the_region_is_the_given_one_or_the_connection_s(region, expected, connection):
    assert aws_session(connection, region)("emr").meta.region_name == expected


def test_the_connection_s_endpoint_is_for_its_service_alone(connection):
    client = aws_session(connection, None)
    assert client("s3").meta.endpoint_url == "http://127.0.0.1:9000"
    assert client("emr").meta.endpoint_url == "https://elasticmapreduce.eu-west-1.amazonaws.com"


def test_settings_of_the_caller_take_precedence_over_the_connection_s(connection):
    config = aws_session(connection, None)("emr", read_timeout=60).meta.config
    assert (config.read_timeout, config.connect_timeout) == (60, 3)


class Connection:
    """An AWS connection that counts how often it is looked up."""

    def __init__(self):
        self.now, self.sessions, self.broken, self.more = 0.0, 0, False, {}

    def __call__(self):
        if self.broken:
            raise OSError("Airflow does not answer")
        self.sessions += 1
        key = f"key-{self.sessions}"

        def client(service, **config):
            return boto3.client(
                service,
                "us-east-1",
                aws_access_key_id=key,
                aws_secret_access_key="secret",
                config=Config(**config),
                **self.more,
            )

        return client


@pytest.fixture
def connected():
    connection = Connection()
    return connection, AwsClients(connection, clock=lambda: connection.now)


def ask(client, code, status):
    with Stubber(client) as stub:
        stub.add_client_error("list_queues", code, http_status_code=status)
        with pytest.raises(ClientError):
            client.list_queues()


def test_many_waits_share_one_client_with_short_timeouts(connected):
    connection, clients = connected
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: clients.client("sqs"), range(40)))
    assert (len(found), connection.sessions) == (1, 1)
    config = found.pop().meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (5, 10, 2)


@pytest.fixture
def dripping():
    """A server that sends its answer in bytes, each in time for a socket's timeout."""

    def drip(connection):
        with connection, suppress(OSError):
            connection.recv(65536)
            for part in (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 2\r\n\r\n", b"{", b"}"):
                connection.sendall(part)
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: drip(server.accept()[0]), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(("seconds", "ends"), [(0.05, True), (20, False)], ids=["ends", "is waited for"])
def test_a_request_to_a_server_that_drips_bytes_ends_by_the_clock(dripping, connected, monkeypatch, seconds, ends):
    connection, clients = connected
    connection.more = {"endpoint_url": dripping}
    clients._calls.seconds = seconds
    client = clients.client("sqs", retries={"total_max_attempts": 1})
    if ends:
        with pytest.raises(ReadTimeoutError, match="Read timeout on endpoint"):
            client.list_queues()
    else:
        assert client.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_another_service_or_setting_has_a_client_of_the_same_session(connected):
    connection, clients = connected
    once = clients.client("sqs", retries={"total_max_attempts": 1})
    assert len({clients.client("sqs"), clients.client("sns"), once}) == 3
    assert connection.sessions == 1


@pytest.mark.parametrize(
    ("code", "status", "sessions"),
    [
        pytest.param("ExpiredToken", 403, 2, id="expired"),
        pytest.param("ExpiredTokenException", 400, 2, id="expired, as EMR says it"),
        pytest.param("InvalidClientTokenId", 403, 2, id="the key was deleted"),
        pytest.param("UnrecognizedClientException", 400, 2, id="the key is unknown"),
        pytest.param("AccessDenied", 403, 2, id="no permission: somebody may have edited the connection"),
        pytest.param("AWS.SimpleQueueService.NonExistentQueue", 400, 1, id="no such queue"),
        pytest.param("RequestThrottled", 400, 1, id="throttled"),
        pytest.param("InternalError", 500, 1, id="a fault of AWS"),
    ],
)
def test_credentials_that_aws_does_not_accept_are_renewed(connected, code, status, sessions):
    connection, clients = connected
    connection.now = 100
    refused = clients.client("sqs")
    connection.now = 110
    ask(refused, code, status)
    assert (clients.client("sqs") is refused) == (sessions == 1)
    assert connection.sessions == sessions


def test_a_thousand_refusals_look_the_connection_up_once(connected):
    connection, clients = connected
    connection.now = 100
    first = clients.client("sqs")
    connection.now = 110
    for _ in range(5):
        ask(first, "ExpiredToken", 403)
        clients.client("sqs")
    assert connection.sessions == 2


def test_a_client_without_credentials_is_made_anew(connected, monkeypatch):
    connection, clients = connected
    connection.now = 100
    client = clients.client("sqs")
    connection.now = 110

    def unsigned(**_):
        raise NoCredentialsError

    client.meta.events.register("before-sign", unsigned)
    with pytest.raises(NoCredentialsError):
        client.list_queues()
    assert clients.client("sqs") is not client


def test_an_edited_connection_is_noticed_within_ten_minutes(connected):
    connection, clients = connected
    old = clients.client("sqs")
    connection.now = 599
    assert clients.client("sqs") is old
    connection.now = 600
    assert clients.client("sqs") is not old


def test_an_airflow_that_does_not_answer_leaves_the_old_client(connected, caplog):
    connection, clients = connected
    old = clients.client("sqs")
    connection.now, connection.broken = 600, True
    assert clients.client("sqs") is old
    assert "cannot be looked up again" in caplog.text


def test_a_connection_that_cannot_be_looked_up_at_first_is_an_error(connected):
    connection, clients = connected
    connection.broken = True
    with pytest.raises(OSError, match="does not answer"):
        clients.client("sqs")


def test_each_connection_and_region_has_its_own_threads_and_their_number_is_bounded(connection):
    first = shared_clients(connection, "us-east-1")
    assert shared_clients(connection, "us-east-1") is first
    assert len({first.pool, shared_clients(connection, "us-west-2").pool, shared_clients(None, "us-east-1").pool}) == 3
    for number in range(MOST_SHARED):
        shared_clients(connection, f"region-{number}")
    assert shared_clients(connection, "us-east-1") is not first
    assert threading.active_count() < 50  # a thread starts with its first work
