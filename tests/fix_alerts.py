"""A Slack with an API and webhooks, a VictorOps and a PagerDuty, that keep what they get and fail as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

TOKEN = "xoxb-hush-token"  # in the connections below; no log and no error may show them
WEBHOOK = "T0/B0/hush-webhook"
API_KEY = "hush-api-key"
INTEGRATION_KEY = "hush-integration-key"
SECRETS = (TOKEN, WEBHOOK, API_KEY, INTEGRATION_KEY)


@dataclass
class AlertServices:
    """
    What arrived, and what happens to the next requests.

    :param failures: for the next requests: a status, ``(status, headers)``, ``(status, headers, answer)``,
        ``"taken, then silence"``, ``"silence"``, an error of Slack's API, ``"nothing"`` (the connection is closed), or
        ``None`` for none.
    :param gate: what happens to a request, given its path, its body and the port it comes from, where that is not
        decided by order.
    :param moments: when what was received arrived.
    :param headers: of every request.
    """

    url: str
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failures: list[Any] = field(default_factory=list)
    gate: Callable[[str, dict[str, Any], int], Any] | None = None
    moments: list[float] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def connections(self) -> dict[str, str]:
        """Values of ``AIRFLOW_CONN_*`` variables, by connection id."""
        return {
            "slack_api": json.dumps(
                {"conn_type": "slack", "password": TOKEN, "extra": {"base_url": f"{self.url}/api/", "timeout": 3}}
            ),
            "slack_hook": json.dumps(
                {"conn_type": "slackwebhook", "host": f"{self.url}/services", "password": WEBHOOK}
            ),
            "pagerduty": json.dumps({"conn_type": "pagerduty_events", "password": INTEGRATION_KEY}),
            "victorops": json.dumps(
                {"conn_type": "victorops", "host": self.url, "password": API_KEY, "extra": {"routing_key": "data-team"}}
            ),
        }

    def slack(self) -> list[dict[str, Any]]:
        """Messages that Slack took."""
        return [body for path, body in list(self.received) if path.endswith("chat.postMessage") or "/services/" in path]

    def pagerduty(self) -> list[dict[str, Any]]:
        """Events that PagerDuty took."""
        return [body for path, body in list(self.received) if path == "/v2/enqueue"]

    def victorops(self) -> list[dict[str, Any]]:
        """Alerts that VictorOps took."""
        return [body for path, body in list(self.received) if path.startswith("/integrations/")]

    def take(self, path: str, body: dict[str, Any]) -> int:
        """Keep a request; its place among all."""
        with self.lock:
            self.received.append((path, body))
            self.moments.append(time.time())
            return len(self.received)

    def forget(self) -> None:
        """Forget what was received."""
        with self.lock:
            self.received.clear()
            self.moments.clear()

    def answer(self, path: str, body: dict[str, Any], port: int) -> tuple[int, dict[str, str], Any] | None:
        failure = self.gate(path, body, port) if self.gate else None
        with self.lock:
            failure = self.failures.pop(0) if self.failures and failure is None else failure
        place = self.take(path, body) if failure in (None, "taken, then silence") else 0
        if failure == "nothing":
            return None
        if failure in ("silence", "taken, then silence"):
            time.sleep(1.5)
            return 503, {}, ""
        if isinstance(failure, int):
            return failure, {}, "no"
        if isinstance(failure, tuple):
            return failure if len(failure) == 3 else (*failure, "no")
        if isinstance(failure, str):
            return 200, {}, {"ok": False, "error": failure}
        if path.endswith("chat.postMessage"):
            return 200, {}, {"ok": True, "channel": "C012AB3CD", "ts": f"17.{place:06}"}
        if path == "/v2/enqueue":
            return 202, {}, {"status": "success", "dedup_key": body["dedup_key"]}
        if path.endswith("conversations.history"):
            return 200, {}, {"ok": True, "messages": self._history()}
        if path.endswith("conversations.replies"):
            return 200, {}, {"ok": True, "messages": self._thread(body["ts"])}
        return 200, {}, "ok" if "/services/" in path else {"result": "success", "entity_id": body.get("entity_id")}

    def _history(self) -> list[dict[str, Any]]:
        """The newest first, and without the replies of threads."""
        return [message for message in reversed(self._posted()) if not message["thread_ts"]]

    def _thread(self, ts: str) -> list[dict[str, Any]]:
        """The message that it begins with, and its replies."""
        return [message for message in self._posted() if ts in (message["ts"], message["thread_ts"])]

    def _posted(self) -> list[dict[str, Any]]:
        posted = [(place, body) for place, (path, body) in enumerate(self.received, 1) if "chat.postMessage" in path]
        return [
            {"ts": f"17.{place:06}", "thread_ts": body.get("thread_ts"), "metadata": body.get("metadata")}
            for place, body in posted
        ]

    def open(self) -> None:
        """Listen: at first on any free port, and then always on the same one."""
        self.server = ThreadingHTTPServer(("127.0.0.1", int(self.url.rpartition(":")[2] or 0)), _handler(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        """Refuse connections from now on."""
        self.server.shutdown()
        self.server.server_close()


def _handler(services: AlertServices) -> type[BaseHTTPRequestHandler]:

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
            if self.headers["Content-Type"].startswith("application/json"):
                body = json.loads(raw)
            else:
                body = {name: values[0] for name, values in parse_qs(raw.decode()).items()}
            services.headers.append(self.headers)
            answered = services.answer(self.path, body, self.client_address[1])
            if answered is None:
                return
            status, headers, answer = answered
            sent = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(sent))}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # the client may not have waited
                self.wfile.write(sent)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@pytest.fixture
def alert_services() -> Iterator[AlertServices]:
    services = AlertServices("")
    services.open()
    yield services
    services.close()


@pytest.fixture
def alerts(alert_services: AlertServices, monkeypatch: pytest.MonkeyPatch) -> AlertServices:
    """The services, reached through the connections ``slack_api``, ``slack_hook``, ``pagerduty`` and ``victorops``."""
    for conn_id, value in alert_services.connections().items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)
    return alert_services
