"""Connections to registries, as Airflow's would be."""

from __future__ import annotations

from typing import Any

import boto3

from airflow_agari_provider.streams.registry import HttpServer


class Access:
    """
    :param endpoint: address of an AWS.
    :param server: a registry with Confluent's API.
    """

    def __init__(self, endpoint: str, server: Any = None) -> None:
        self._endpoint, self._server = endpoint, server

    def aws(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self._endpoint, region_name="us-east-1")

    def http(self, conn_id: str) -> HttpServer:
        return HttpServer(self._server.url, ("user", "pass word"))
