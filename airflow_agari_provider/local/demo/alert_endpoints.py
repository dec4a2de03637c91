"""Endpoints that replace Slack, VictorOps and a mail server, and keep the messages that they receive."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_connection
from typing import Any

from aiosmtpd.controller import Controller

Keep = Callable[[str, str, Any], None]


@dataclass(frozen=True)
class Received:
    """
    One message that arrived.

    :param channel: ``slack``, ``victorops`` or ``mail``.
    :param text: Slack's text, VictorOps's state message, or the subject of the mail.
    :param body: the whole message: the JSON posted, or the mail's source.
    """

    channel: str
    text: str
    body: Any


@dataclass
class Endpoints:
    """
    The addresses of the endpoints, and the messages that arrived there.

    :param http: base URL of the Slack (``/slack``) and VictorOps (``/victorops``) endpoints.
    :param mail_port: port of the SMTP server on 127.0.0.1.
    """

    http: str
    mail_port: int
    received: list[Received] = field(default_factory=list)


@contextmanager
def open_endpoints(folder: Path) -> Iterator[Endpoints]:
    """
    Run the endpoints on free ports of this machine until the ``with`` block ends.

    :param folder: folder for ``received.jsonl``, which has one line for each message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    received: list[Received] = []
    lock = threading.Lock()

    def keep(channel: str, text: str, body: Any) -> None:
        with lock, (folder / "received.jsonl").open("a") as lines:
            received.append(Received(channel, text, body))
            lines.write(json.dumps({"channel": channel, "text": text, "body": body}) + "\n")

    http = ThreadingHTTPServer(("127.0.0.1", 0), _http_handler(keep))
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, daemon=True, name="http-endpoint").start()
    mail = _MailServer(_MailHandler(keep), hostname="127.0.0.1", port=0)
    mail.start()
    try:
        yield Endpoints(f"http://127.0.0.1:{http.server_address[1]}", mail.bound_port, received)
    finally:
        mail.stop()
        http.shutdown()
        http.server_close()


def _http_handler(keep: Keep) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            channel = self.path.split("/")[1]
            keep(channel, body.get("text") or body.get("state_message") or "", body)
            answer = b"ok" if channel == "slack" else b'{"result": "success"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base class's)
            pass

    return Handler


class _MailHandler:
    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  (aiosmtpd's name)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self._keep("mail", str(mail["Subject"]), envelope.content.decode(errors="replace"))
        return "250 kept"


class _MailServer(Controller):  # type: ignore[misc]
    """aiosmtpd's controller on a port that the system chooses."""

    @property
    def bound_port(self) -> int:
        return int(self.server.sockets[0].getsockname()[1])

    def _trigger_server(self) -> None:
        with create_connection((self.hostname, self.bound_port), 5.0) as connection:
            connection.recv(1024)
