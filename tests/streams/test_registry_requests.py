from __future__ import annotations

import pytest

from airflow_agari_provider.streams import registry_requests
from airflow_agari_provider.streams.errors import RegistryFailed
from airflow_agari_provider.streams.registry import HttpServer
from airflow_agari_provider.streams.registry_requests import RegistryRequests


def requests_to(server, **more):
    return RegistryRequests(HttpServer(server.url, **more), "the registry", lambda seconds: None)


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


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
def test_an_answer_that_stays_the_same_is_returned_at_once(server, status):
    server.statuses = [status]
    assert requests_to(server).ask("GET", "/schemas/ids/77") == (status, {"message": "not now"})
    assert len(server.requests) == 1


def test_headers_of_the_connection_come_along(server):
    requests_to(server, headers={"Authorization": "Bearer x"}).ask("GET", "/schemas/ids/77")
    assert server.requests[0][2] == "Bearer x"


def test_a_redirect_is_not_followed_because_the_other_server_would_get_the_password(server):
    server.statuses = [302]
    assert requests_to(server, auth=("u", "secret")).ask("GET", "/schemas/ids/77")[0] == 302
    assert len(server.requests) == 1


def test_an_answer_without_end_is_given_up(server, monkeypatch):
    monkeypatch.setattr(registry_requests, "ANSWER_BYTES", 99)
    server.add("s", "x" * 100)
    with pytest.raises(RegistryFailed, match="its answer has more than 99 bytes, or took more than 30 s"):
        requests_to(server).ask("GET", "/schemas/ids/1")
