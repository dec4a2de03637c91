from __future__ import annotations

import socket
import sys

import pytest

from airflow_agari_provider.local.demo.setup import free_ports


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no two sockets have the same port")
def test_a_port_that_was_found_is_free_for_a_service_only():
    for port in free_ports(None):
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)):
            socket.create_connection(("127.0.0.1", port)).close()
