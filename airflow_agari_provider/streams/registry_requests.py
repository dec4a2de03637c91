"""Requests to a registry over HTTP: bounded in time and size, and tried again while a failure may pass."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from airflow_agari_provider.exceptions import retrying
from airflow_agari_provider.streams.errors import RegistryFailed
from airflow_agari_provider.streams.registry import HttpServer

logger = logging.getLogger(__name__)

TRIES = 4
FIRST_WAIT = 0.5  # seconds, doubled each time
TIMEOUT = (5, 10)  # seconds: to connect, to wait for the next bytes
ANSWER_SECONDS = 30  # for the whole answer, however slowly its bytes come
ANSWER_BYTES = 16 * 1024 * 1024
PASSING = (429, 500, 502, 503, 504)
CONTENT = "application/vnd.schemaregistry.v1+json"


class RegistryRequests:
    """
    :param name: of the registry, for errors.
    :param sleep: takes seconds.
    """

    def __init__(self, server: HttpServer, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._server, self._name = server, name
        self._patiently = retrying(
            passes=lambda error: isinstance(error, _Passing),
            wait=lambda failed, error: FIRST_WAIT * 2 ** (failed - 1),
            tell=lambda failed, error, wait: logger.warning("%s Next try in %s s.", error, wait),
            tries=TRIES,
            sleep=sleep,
        )

    def ask(self, method: str, place: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """
        Make a request, and return the answer's status and JSON; None where it is not JSON.

        :param place: path and query.
        :raises RegistryFailed: there is no answer, or only that the registry cannot answer now.
        """
        return self._patiently(lambda: self._asked(method, place, body))

    def _asked(self, method: str, place: str, body: Mapping[str, Any] | None) -> tuple[int, Any]:
        import requests

        data = None if body is None else json.dumps(body)
        headers = {"Accept": f"{CONTENT}, application/json", "Content-Type": CONTENT, **self._server.headers}
        login = self._server.auth or _unchanged  # without one, requests would take what .netrc has for the host
        try:
            with requests.request(
                method,
                f"{self._server.url}{place}",
                data=data,
                headers=headers,
                auth=login,
                timeout=TIMEOUT,
                allow_redirects=False,  # another server would get the password
                stream=True,
            ) as answer:
                status, content = answer.status_code, self._content(answer)
        except requests.RequestException as error:
            # Without the error's text and cause: they may show a URL with a password.
            raise _Passing(self._name, f"it does not answer ({type(error).__name__})") from None
        if status in PASSING:
            raise _Passing(self._name, f"it answered {status}")
        try:
            return status, json.loads(content)
        except (ValueError, RecursionError):
            return status, None

    def _content(self, answer: Any) -> bytes:
        end, content = time.monotonic() + ANSWER_SECONDS, bytearray()
        for chunk in answer.iter_content(64 * 1024):
            content += chunk
            if len(content) > ANSWER_BYTES or time.monotonic() > end:
                raise RegistryFailed(
                    self._name, f"its answer has more than {ANSWER_BYTES} bytes, or took more than {ANSWER_SECONDS} s"
                )
        return bytes(content)


class _Passing(RegistryFailed):
    """The same request may succeed soon."""


def _unchanged(request: Any) -> Any:
    return request
