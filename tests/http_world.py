"""A service over HTTP that a test plays: it keeps jobs, can be told to fail, and does things when it is asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class HttpWorld:
    """
    One service. What is a step elsewhere is one of its jobs here.

    :cvar kept_header: a header that each request has to have, except for GET.
    """

    kept_header = ""

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self.credentials: list[str | None] = []
        self._rules: list[tuple[str, Callable[[Callable[[], Any]], Any]]] = []
        self._guard = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def states(self) -> list[str]:
        return [step.state for step in self.steps]

    # what each service does in its own way

    def call_of(self, method: str, path: str) -> str:
        """Return the name of a request, for the rules below."""
        raise NotImplementedError

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return the status and the answer of a request; one at a time."""
        raise NotImplementedError

    # what goes wrong

    def fail(self, call: str, times: int = 1, carried_out: bool = False, code: str = "") -> None:
        """Let the next requests of a kind end with HTTP 500, or 429 if there is a code; as ``EmrWorld.fail``."""
        left = [times]

        def failing(answer: Callable[[], Any]) -> Any:
            if left[0] == 0:
                return answer()
            left[0] -= 1
            if carried_out:
                answer()
            return (429 if code else 500), {"msg": f"{call} fails, as the test wants"}

        self._rules.append((call, failing))

    def before(self, call: str, action: Callable[[], object]) -> None:
        """Do something once, when the next request of a kind arrives."""
        done: list[bool] = []

        def acting(answer: Callable[[], Any]) -> Any:
            if not done:
                done.append(True)
                action()
            return answer()

        self._rules.append((call, acting))

    def each(self, call: str, action: Callable[[], object]) -> None:
        """Do something before each request of a kind."""
        self._rules.append((call, lambda answer: (action(), answer())[1]))

    def _answered(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        def known() -> tuple[int, Any]:
            with self._guard:
                return self.answer(method, path, body)

        call, answer = self.call_of(method, path), known
        for name, rule in list(self._rules):
            if name == call:
                answer = partial(rule, answer)
        return answer()

    def _handler(world) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler's own self is another one
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                world.credentials.append(self.headers.get("Authorization"))
                if self.command != "GET" and world.kept_header and not self.headers.get(world.kept_header):
                    status, answer = 400, {"msg": f"Missing Required Header {world.kept_header}"}
                else:
                    status, answer = world._answered(self.command, self.path, body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_DELETE = do_GET  # noqa: N815 - names of http.server

            def log_message(self, *_: object) -> None:
                pass

        return Handler
