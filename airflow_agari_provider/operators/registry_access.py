"""What a schema registry needs of Airflow: AWS clients, and the server of an HTTP connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.airflow_compat import BaseHook
from airflow_agari_provider.hooks.aws_clients import aws_session
from airflow_agari_provider.streams.registry import HttpServer

# What the extra of such a connection has beside headers.
_SETTINGS = {
    "proxies", "proxy", "timeout", "verify", "cert", "stream", "allow_redirects", "max_redirects", "trust_env",
    "check_response",
}  # fmt: skip


@dataclass(frozen=True)
class ConnectionAccess:
    """
    Access by Airflow's connections.

    :param aws_conn_id: Airflow connection to AWS.
    :param region_name: AWS region; None: that of the connection.
    """

    aws_conn_id: str | None
    region_name: str | None

    def aws(self, service: str) -> Any:
        """Return a boto3 client."""
        return aws_session(self.aws_conn_id, self.region_name)(service)

    def http(self, conn_id: str) -> HttpServer:
        """Return the server of a connection of type HTTP, as Airflow's own HttpHook reads it."""
        connection = BaseHook.get_connection(conn_id)
        host = connection.host or ""
        if "://" not in host:
            host = f"{connection.schema or 'http'}://{host}"
        url = f"{host.rstrip('/')}:{connection.port}" if connection.port else host.rstrip("/")
        auth = (connection.login, connection.password or "") if connection.login else None
        extra = connection.extra_dejson.items()
        return HttpServer(url, auth, {str(name): str(value) for name, value in extra if name not in _SETTINGS})
