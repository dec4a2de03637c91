"""Requests to AWS. The error of a failed request tells whether a retry may succeed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_agari_provider.exceptions import may_pass
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable

_CONSOLES = {"aws": "aws.amazon.com", "aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}

Connect = Callable[[], Callable[..., Any]]


class AwsRequests:
    """
    boto3 clients of one session.

    Each client is made when it is first needed. When the session's credentials are no longer valid, the next request
    opens a new session with new clients.

    :param connect: opens a session and returns the function that makes its clients:
        ``connect()("emr", **botocore_config)``.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._session: Callable[..., Any] | None = None
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return a client that retries requests as botocore's configuration says."""
        return self._client(service, {})

    def client_asking_once(self, service: str) -> Any:
        """
        Return a client without retries, for requests that must not be sent twice.

        By default, botocore sends a request again when the answer was lost.
        """
        return self._client(service, {"retries": {"total_max_attempts": 1}})

    def _client(self, service: str, config: dict[str, Any]) -> Any:
        key = f"{service} {config}"
        if key not in self._clients:
            self._clients[key] = self._open(service, config)
        return self._clients[key]

    def _open(self, service: str, config: dict[str, Any]) -> Any:
        """
        Make a client.

        :raises BackendUnavailable: the connection cannot be read now. Airflow's API server and its secrets backends
            raise errors of their own, and may call a connection missing that they could not ask for.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._session = self._session or self._connect()
            return self._session(service, **config)
        except (BotoCoreError, ClientError):
            raise  # to ``asking``
        except Exception as error:
            self._disconnect()
            cause = f"{type(error).__name__}: {error}"
            raise BackendUnavailable(f"Reading the connection to AWS for {service}", cause) from error

    @contextmanager
    def asking(self, request: str) -> Iterator[None]:
        """
        Turn boto's errors into the provider's own.

        :param request: what is asked. It begins the error's text: "Looking for the log of ...".
        :raises BackendUnavailable: no connection, no credentials, throttling, no whole answer in time, or an error on
            the service's side.
        :raises BackendRefused: the answer is any other error.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except TimeoutError as error:
            raise BackendUnavailable(request, str(error)) from error
        except (BotoCoreError, ClientError) as error:
            if _may_be_of_credentials(error):
                self._disconnect()
            raise (BackendUnavailable if may_pass(error) else BackendRefused)(request, str(error)) from error

    def _disconnect(self) -> None:
        self._session = None
        self._clients.clear()


def _may_be_of_credentials(error: Exception) -> bool:
    """Whether a new session may cure an error: AWS rejected the request, or there were no credentials to sign it."""
    from botocore.exceptions import HTTPClientError, ParamValidationError

    response = getattr(error, "response", None)
    if response is None:
        return not isinstance(error, HTTPClientError | ParamValidationError)
    return bool(response["ResponseMetadata"]["HTTPStatusCode"] < 500)


def console_of(client: Any) -> tuple[str, str]:
    """Return the address of the AWS console that shows what a client reaches, without a slash, and the region."""
    domain = _CONSOLES.get(client.meta.partition, _CONSOLES["aws"])
    return f"https://console.{domain}", client.meta.region_name
