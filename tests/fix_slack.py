"""A Slack that keeps what is posted to it, behind a webhook connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


def slack_connection(port: int) -> str:
    """Value of an ``AIRFLOW_CONN_*`` variable of a webhook on this port."""
    return json.dumps({"conn_type": "slackwebhook", "host": f"http://127.0.0.1:{port}", "password": "T0/B0/secret"})


@pytest.fixture
def slack_posts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Bodies posted to a webhook, to which the connection ``slack`` leads."""
    bodies: list[Any] = []

    class Keeper(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keeper)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AIRFLOW_CONN_SLACK", slack_connection(server.server_port))
    yield bodies
    server.shutdown()
    thread.join()
    server.server_close()
