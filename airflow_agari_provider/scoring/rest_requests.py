"""Requests to a service with a REST API in JSON. The error of a failed request tells whether a retry may succeed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.scoring.bounded_calls import BoundedCalls
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable

TIMEOUTS = 5, 10  # seconds: to connect, and between two bytes
WHOLE_REQUEST = 15.0  # seconds by the clock
ANSWER_LIMIT = 20_000_000  # bytes
TEXT_LIMIT = 500  # characters of an answer in an error
PASSING = frozenset({401, 408, 425, 429})  # and all from 500: a proxy or a token may be right in a moment

_calls = BoundedCalls(WHOLE_REQUEST)


@dataclass(frozen=True)
class RestAddress:
    """
    Where a service is, and how to log in.

    :param url: without a slash at its end, and without login and password.
    :param login: empty: none is sent.
    """

    url: str
    login: str = ""
    password: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class RestRequests:
    """
    Requests to one service, each of which ends by the clock.

    :param connect: returns the address; asked again after the service has refused the login.
    """

    def __init__(self, connect: Callable[[], RestAddress]) -> None:
        self._connect = connect
        self._address: RestAddress | None = None

    @property
    def url(self) -> str:
        return self._where("Reading the connection").url

    def get(self, request: str, path: str) -> Any:
        """
        Return the answer of a GET; None if there is no such thing (404).

        :param request: what is asked. It begins the error's text.
        """
        status, answer = self._send(request, "GET", path)
        return None if status == 404 else answer

    def post(self, request: str, path: str, body: Any = None) -> Any:
        """Return the answer of a POST."""
        status, answer = self._send(request, "POST", path, body)
        if status == 404:
            raise BackendRefused(request, f"{path} is not there")
        return answer

    def delete(self, request: str, path: str) -> None:
        """Delete a thing; it is not an error if it is not there."""
        self._send(request, "DELETE", path)

    def _where(self, request: str) -> RestAddress:
        if self._address is None:
            try:
                self._address = self._connect()
            except Exception as error:  # of Airflow's API server and of secrets backends
                raise BackendUnavailable(request, f"{type(error).__name__}: {error}") from error
        return self._address

    def _send(self, request: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        from requests import RequestException

        address = self._where(request)
        try:
            status, content = _calls(_exchange, address, method, path, body)
        except TimeoutError as error:
            raise BackendUnavailable(request, f"{address.url}: {error}") from error
        except RequestException as error:
            raise BackendUnavailable(request, f"{address.url}: no answer ({type(error).__name__})") from error
        if status in (401, 403):
            self._address = None  # somebody may edit the connection
        if status >= 500 or status in PASSING:
            raise BackendUnavailable(request, _told(address, status, content))
        if status == 404:
            return status, None
        if not 200 <= status < 300:
            raise BackendRefused(request, _told(address, status, content))
        try:
            return status, json.loads(content)
        except ValueError as error:
            raise BackendUnavailable(request, f"{_told(address, status, content)} (this is no JSON)") from error


def _exchange(address: RestAddress, method: str, path: str, body: Any) -> tuple[int, bytes]:
    import requests

    with requests.Session() as session:
        session.trust_env = False  # no credentials of .netrc
        auth = (address.login, address.password) if address.login else None
        with session.request(
            method,
            address.url + path,
            json=body,
            auth=auth,
            headers=dict(address.headers),
            timeout=TIMEOUTS,
            allow_redirects=False,
            stream=True,
        ) as answer:
            content = b"".join(_within_the_limit(answer.iter_content(65_536)))
        return answer.status_code, content


def _within_the_limit(pieces: Any) -> Any:
    from requests import RequestException

    size = 0
    for piece in pieces:
        size += len(piece)
        if size > ANSWER_LIMIT:
            raise RequestException(f"the answer has more than {ANSWER_LIMIT} bytes")
        yield piece


def _told(address: RestAddress, status: int, content: bytes) -> str:
    return f"{address.url} answered {status} {cut(content.decode('utf-8', 'replace').strip(), TEXT_LIMIT)}".strip()
