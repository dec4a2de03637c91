from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from airflow_agari_provider.scoring import rest_requests
from airflow_agari_provider.scoring.bounded_calls import BoundedCalls
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable
from airflow_agari_provider.scoring.rest_requests import RestAddress, RestRequests


def serve(answer, pause=0.0):
    """A server that answers one request with these bytes, one by one if there is a pause between them."""
    server = socket.create_server(("127.0.0.1", 0))

    def work():
        with server, suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                for part in [answer[number : number + 1] for number in range(len(answer))] if pause else [answer]:
                    connection.sendall(part)
                    time.sleep(pause)

    threading.Thread(target=work, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def http(status, body, *headers):
    head = "\r\n".join([f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Connection: close", *headers])
    return f"{head}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (http(503, "away"), BackendUnavailable, "answered 503 away"),
        (http(429, ""), BackendUnavailable, "answered 429"),
        (http(401, ""), BackendUnavailable, "answered 401"),
        (http(403, "no"), BackendRefused, "answered 403 no"),
        (http(400, "x" * 600), BackendRefused, r"answered 400 x{493}… \(cut\)$"),
        (http(302, "", "Location: http://169.254.169.254/"), BackendRefused, "answered 302"),
        (http(200, "<html>"), BackendUnavailable, "this is no JSON"),
        (b"nonsense\r\n\r\n", BackendUnavailable, "no answer"),
    ],
    ids=["away", "throttled", "login", "forbidden", "long", "elsewhere", "a page", "no HTTP"],
)
def test_an_answer_that_is_none_is_an_error_that_says_whether_it_may_pass(answer, error, told):
    requests = RestRequests(lambda: RestAddress(serve(answer)))
    with pytest.raises(error, match=f"^Asking failed: http://127.0.0.1:.*{told}"):
        requests.get("Asking", "/batches")


def test_what_is_not_there_is_none():
    assert RestRequests(lambda: RestAddress(serve(http(404, "")))).get("Asking", "/batches/1") is None


def test_an_answer_without_an_end_is_not_read(monkeypatch):
    monkeypatch.setattr(rest_requests, "ANSWER_LIMIT", 10)
    with pytest.raises(BackendUnavailable, match="no answer"):
        RestRequests(lambda: RestAddress(serve(http(200, '"' + "x" * 20 + '"')))).get("Asking", "/")


@pytest.mark.parametrize(("seconds", "ends"), [(0.1, True), (20, False)], ids=["ends", "is waited for"])
def test_a_server_that_drips_bytes_is_given_up_by_the_clock(monkeypatch, seconds, ends):
    monkeypatch.setattr(rest_requests, "_calls", BoundedCalls(seconds))
    requests = RestRequests(lambda: RestAddress(serve(http(200, "14"), pause=0.01)))
    if ends:
        with pytest.raises(BackendUnavailable, match="no whole answer within"):
            requests.get("Asking", "/")
    else:
        assert requests.get("Asking", "/") == 14


def test_a_connection_that_cannot_be_read_may_be_there_later():
    def away():
        raise RuntimeError("502 Bad Gateway")

    with pytest.raises(BackendUnavailable, match="Asking failed: RuntimeError: 502 Bad Gateway"):
        RestRequests(away).get("Asking", "/")


def test_an_address_shows_no_password():
    assert "hush" not in repr(RestAddress("http://x", "ada", "hush", {"Authorization": "hush"}))
