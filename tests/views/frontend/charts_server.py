"""A small HTTP server in the place of Airflow: the front end's files, and answers that a test lays down."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_agari_provider.views.pages import FRONTEND, PAGES, page_html

TYPES = {".css": "text/css", ".js": "text/javascript", ".html": "text/html; charset=utf-8"}
CONFIGURATION_3 = {
    "airflow": 3,
    "version": "0",
    "log_url": "dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}?try_number={try_number}",
    "mapped_log_url": "/mapped/{map_index}",
    "root": "/",
    "dag_url": "dags/{dag_id}",
    "run_url": "dags/{dag_id}/runs/{run_id}",
    "task_url": "dags/{dag_id}/runs/{run_id}/tasks/{task_id}",
    "slack_url": "https://example.slack.com",
    "refresh_seconds": 1,
}
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'self'"
)


def until(page: Any, condition: str, timeout: float = 30) -> None:
    """Wait until a condition in JavaScript holds. Playwright's own wait evaluates strings, which our policy forbids."""
    deadline = time.monotonic() + timeout
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"not within {timeout} seconds: {condition}"
        page.wait_for_timeout(50)


class ChartsServer:
    """
    Serves ``/agari/charts``, the other pages and what belongs to them; any other path is an empty page of "Airflow".

    ``answers`` maps a path below ``/agari/`` to a body, or to a status and a body; for a POST, ``POST`` and the path.
    ``asked`` lists every address of the API that was asked for, with the status of its answer; ``sent`` each POST:
    path, body and token.
    """

    def __init__(self, answers: Mapping[str, Any], configuration: Mapping[str, Any] = CONFIGURATION_3) -> None:
        self.answers = dict(answers)
        self.configuration = configuration
        self.asked: list[tuple[str, dict[str, list[str]], int]] = []
        self.sent: list[tuple[str, Any, str | None]] = []
        self.pages: dict[str, str] = {}
        server = self

        class Handler(_Handler):
            charts = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> ChartsServer:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def page(self, query: str = "", name: str = "charts") -> str:
        return f"{self.url}/agari/{name}{'?' if query else ''}{query}"


class _Handler(BaseHTTPRequestHandler):
    charts: ChartsServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        root = self.charts.configuration["root"]
        path = address.path.removeprefix(root + "agari/") if address.path.startswith(root + "agari/") else None
        if path in PAGES:
            self._send(page_html(path, json.dumps(self.charts.configuration)).encode(), ".html")
        elif path and path.startswith("static/"):
            self._send((FRONTEND / path.removeprefix("static/")).read_bytes(), Path(path).suffix)
        elif path and path.startswith("api/"):
            self._answer(path, parse_qs(address.query))
        else:
            page = self.charts.pages.get(address.path, "<title>Airflow</title>")
            self._send(page.encode(), ".js" if address.path.endswith(".js") else ".html")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = urlsplit(self.path).path.removeprefix(self.charts.configuration["root"] + "agari/")
        self.charts.sent.append((path, body, self.headers["X-CSRFToken"]))
        status, answer = self.charts.answers[f"POST {path}"]
        self._send(json.dumps(answer).encode(), ".json", status)

    def _answer(self, path: str, query: dict[str, list[str]]) -> None:
        answer = self.charts.answers[path]
        answer = answer(query) if callable(answer) else answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        data = json.dumps(body).encode()
        tag = f'W/"{hash(data)}"'
        if self.headers["If-None-Match"] == tag:
            status, data = 304, b""
        self.charts.asked.append((path, query, status))
        self._send(data, ".json", status, tag)

    def _send(self, data: bytes, suffix: str, status: int = 200, tag: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", TYPES.get(suffix, "application/json"))
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass
