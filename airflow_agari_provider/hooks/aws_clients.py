"""
The boto3 clients of Airflow's AWS connections, one of each kind for all that waits in a process.

A triggerer runs a thousand waits. With a client each they took 8 GB, and the first poll of the last one came after two
minutes; with one client for all they take 200 MB and 9 seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from airflow_agari_provider.airflow_compat import in_thread
from airflow_agari_provider.scoring.bounded_calls import BoundedCalls

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

THREADS = 8  # of each connection and region; so a service that hangs holds up only the waits of its own connection
MOST_SHARED = 32  # connections and regions; the one that was used longest ago makes room
RENEWED_AFTER = 600  # seconds; then the connection is looked up again, because somebody may have edited it
SETTLED = 10  # seconds; a session younger than this is not the cause of a refused request
# A poll is small and comes again: it gives up early, and botocore's five tries of a minute each are too many.
QUICK = {"connect_timeout": 5, "read_timeout": 10, "retries": {"total_max_attempts": 2}}
WHOLE_REQUEST = 15.0  # seconds by the clock, of each of the two tries: the timeouts above begin anew with each byte
SLOWEST_UPLOAD = 100_000  # bytes a second; a large body gets the time that it needs at this speed


def aws_session(aws_conn_id: str | None, region_name: str | None) -> Callable[..., Any]:
    """
    Open a boto3 session of an Airflow connection; return what makes its clients: ``aws_session(...)("s3", **config)``.

    ``config`` takes precedence over the connection's own botocore settings.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    from botocore.config import Config

    hook: Any = AwsBaseHook(aws_conn_id=aws_conn_id, region_name=region_name, client_type="emr")
    session = hook.get_session(region_name=hook.region_name)

    def client(service: str, **config: Any) -> Any:
        endpoint_url = hook.conn_config.get_service_endpoint_url(service_name=service)
        merged = hook.config.merge(Config(**config))
        return session.client(service, endpoint_url=endpoint_url, config=merged, verify=hook.verify)

    return client


class InTime:
    """
    botocore's HTTP session, each request of which ends by the clock. A body that the caller reads does not count.

    :param session: ``URLLib3Session`` of botocore.
    """

    def __init__(self, session: Any, calls: BoundedCalls) -> None:
        self._session, self._calls = session, calls

    def send(self, request: Any) -> Any:
        from botocore.exceptions import ReadTimeoutError

        upload = int(request.headers.get("Content-Length") or 0) / SLOWEST_UPLOAD
        try:
            return self._calls(self._session.send, request, more_seconds=upload)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error

    def close(self) -> None:
        self._session.close()


class AwsClients:
    """
    The clients of one connection in one region, and the threads that use them.

    Ask for the client before each request and do not keep it. When AWS no longer accepts its credentials, and every ten
    minutes, the next ``client`` looks the connection up again and returns a new one.

    :param connect: opens a session, see ``aws_session``.
    :param clock: tells seconds.
    """

    def __init__(self, connect: Callable[[], Callable[..., Any]], clock: Callable[[], float] = time.monotonic) -> None:
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="agari-aws")
        self._connect = connect
        self._clock = clock
        self._calls = BoundedCalls(WHOLE_REQUEST)
        self._guard = threading.Lock()
        self._session: Callable[..., Any] | None = None
        self._opened_at = 0.0
        self._outdated = False
        self._clients: dict[str, Any] = {}

    def client(self, service: str, **config: Any) -> Any:
        """
        Return the client of a service, with short timeouts. Blocks while it is made, so call it in a thread.

        :param config: botocore settings that take precedence over ``QUICK`` and over the connection's.
        :raises BotoCoreError: there are no credentials, or no region.
        :raises ClientError: AWS did not allow the connection's role.
        """
        key = f"{service} {sorted(config.items())}"
        with self._guard:
            if self._session is None or self._outdated or self._clock() - self._opened_at >= RENEWED_AFTER:
                self._open()
            if key not in self._clients:
                assert self._session is not None
                client = self._session(service, **QUICK | {"max_pool_connections": THREADS} | config)
                client.meta.events.register("after-call", self._look_at_answer)
                client.meta.events.register("after-call-error", self._look_at_error)
                endpoint = client._endpoint  # botocore has no public place for this
                endpoint.http_session = InTime(endpoint.http_session, self._calls)
                self._clients[key] = client
            return self._clients[key]

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run a blocking function in a thread of these clients, where it may ask Airflow for connections."""
        return await in_thread(function, *arguments, pool=self.pool)

    def _open(self) -> None:
        try:
            self._session = self._connect()
        except Exception as error:
            if self._session is None or self._outdated:
                raise
            # Airflow does not answer for the moment, and the old session is still good.
            logger.warning("The AWS connection cannot be looked up again, next try in %s s: %s", RENEWED_AFTER, error)
        else:
            self._clients.clear()
        self._opened_at, self._outdated = self._clock(), False

    def _look_at_answer(self, http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        code = str(parsed.get("Error", {}).get("Code", ""))
        # 401 and 403 are also for a user without permission: perhaps somebody has edited the connection since.
        if http_response.status_code in (401, 403) or "Token" in code or code == "UnrecognizedClientException":
            self._suspect()

    def _look_at_error(self, exception: Exception, **_: Any) -> None:
        from botocore.exceptions import HTTPClientError, ParamValidationError

        if not isinstance(exception, HTTPClientError | ParamValidationError):  # there were no credentials to sign with
            self._suspect()

    def _suspect(self) -> None:
        if self._clock() - self._opened_at >= SETTLED:
            self._outdated = True


_shared: OrderedDict[tuple[str | None, str | None], AwsClients] = OrderedDict()
_shared_guard = threading.Lock()


def shared_clients(aws_conn_id: str | None, region_name: str | None) -> AwsClients:
    """
    Return the clients that all of this process shares for a connection and a region. Does not block.

    :param aws_conn_id: Airflow connection to AWS; None for boto3's own credentials.
    :param region_name: AWS region; None: that of the connection.
    """
    key = (aws_conn_id, region_name)
    with _shared_guard:
        if key not in _shared:
            _shared[key] = AwsClients(lambda: aws_session(aws_conn_id, region_name))
        _shared.move_to_end(key)
        if len(_shared) > MOST_SHARED:
            _shared.popitem(last=False)  # its threads end when nobody uses it any more
        return _shared[key]


def client_in(
    aws_conn_id: str | None, region_name: str | None, service: str, **config: Any
) -> Callable[[str | None], Any]:
    """
    Return a function that gives the shared client of a service to use now, by the region in which something is.

    :param region_name: AWS region for what names none; None: that of the connection.
    :param config: as for ``AwsClients.client``.
    """
    return lambda region: shared_clients(aws_conn_id, region or region_name).client(service, **config)
