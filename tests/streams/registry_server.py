"""A schema registry with Confluent's HTTP API, as far as its reference describes what producers and consumers ask."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


class Registry(ThreadingHTTPServer):
    """
    :param answers: statuses to answer the next requests with, before it answers as it should.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.schemas: dict[int, dict[str, Any]] = {}
        self.subjects: dict[str, list[int]] = {}
        self.incompatible: list[str] = []
        self.statuses: list[int] = []
        self.requests: list[tuple[str, str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, subject: str, schema: Any, **more: Any) -> int:
        number = len(self.schemas) + 1
        self.schemas[number] = {"schema": json.dumps(schema), **more}
        self.subjects.setdefault(subject, []).append(number)
        return number


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def _answer(self, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _asked(self) -> list[str] | None:
        registry = self.server
        registry.requests.append((self.command, self.path, self.headers.get("Authorization")))
        if registry.statuses:
            self._answer(registry.statuses.pop(0), {"message": "not now"})
            return None
        return [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]

    def do_GET(self) -> None:
        match self._asked():
            case ["schemas", "ids", number] if int(number) not in self.server.schemas:
                self._answer(404, {"error_code": 40403, "message": "Schema not found"})
            case ["schemas", "ids", number]:
                found = self.server.schemas[int(number)]
                resolved = found.get("resolved") if "format=resolved" in self.path else None
                self._answer(200, {"schema": resolved} if resolved else found)
            case ["schemas", "ids", number, "subjects"]:
                self._answer(200, [name for name, ids in self.server.subjects.items() if int(number) in ids])

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match self._asked():
            case ["compatibility", "subjects", subject, "versions", "latest"]:
                if subject in self.server.subjects:
                    problems = self.server.incompatible
                    self._answer(200, {"is_compatible": not problems, "messages": problems})
                else:
                    self._answer(404, {"error_code": 40401, "message": "Subject not found"})
            case ["subjects", subject, "versions"]:
                self._answer(200, {"id": self.server.add(subject, json.loads(body["schema"]))})

    def log_message(self, *arguments: Any) -> None:
        """Nothing: tests look at ``requests``."""


@contextmanager
def registry_server() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
