"""
An embedded AWS: moto over HTTP on 127.0.0.1. ``emr.runner`` really runs its EMR steps, and the job runs of EMR
Serverless and EMR on EKS.

Its state is in the memory of this process and is lost when the process ends. In addition to AWS's own requests it
answers ``POST /agari-local/emr/<function>`` (a JSON object of arguments, a JSON answer). With these requests, a runner
reads and writes the state of EMR's steps (the "books").
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from airflow_agari_provider.local.emr import books
from airflow_agari_provider.local.emr.api import patch_emr
from airflow_agari_provider.local.emr.eks_api import patch_emr_on_eks
from airflow_agari_provider.local.emr.serverless_api import patch_emr_serverless
from airflow_agari_provider.local.moto_repairs import monitor, repair_moto

__all__ = ["main", "patch_emr", "serve_aws", "start_aws"]

BOOKS_PATH = "/agari-local/emr/"
BOOKS: dict[str, Callable[..., Any]] = {
    "orders": books.orders,
    "held": books.held,
    "finish": books.finish,
}
LOOPBACK = ("127.0.0.1", "localhost")


class LocalAws:
    """The WSGI application: EMR's books for the runner, moto for all other clients. It serves one request at a time."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not from_this_machine(environ):
            return _answer(start_response, HTTPStatus.FORBIDDEN, "this AWS serves its own machine's programs only")
        if not environ.get("wsgi.input_terminated"):  # read the body first: a slow client must not block the others
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        with monitor:
            if environ["PATH_INFO"].startswith(BOOKS_PATH):
                return _ask_the_books(environ, start_response)
            return list(self.moto(environ, start_response))


def from_this_machine(environ: dict[str, Any]) -> bool:
    """
    Whether a program on this machine sent the request. False if a web page from another host made a browser send it.

    Such requests are refused because a client that adds a step can run any program here. A page whose own host name
    points to 127.0.0.1 is recognised by the Host header, any other page by the Origin header.
    """
    host = environ.get("HTTP_HOST", "")
    name = host.rsplit(":", 1)[0]
    ours = name in LOOPBACK or name.endswith(".localhost")
    return ours and environ.get("HTTP_ORIGIN") in (None, f"http://{host}")


def _ask_the_books(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    function = BOOKS.get(environ["PATH_INFO"].removeprefix(BOOKS_PATH))
    if function is None or environ["REQUEST_METHOD"] != "POST":
        return _answer(start_response, HTTPStatus.NOT_FOUND, "POST one of " + ", ".join(BOOKS))
    return _answer(start_response, HTTPStatus.OK, function(**json.load(environ["wsgi.input"])))


def _answer(start_response: Callable[..., Any], status: HTTPStatus, value: Any) -> Iterable[bytes]:
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
    return [json.dumps(value).encode()]


def start_aws(port: int = 0) -> BaseWSGIServer:
    """Start a server in a thread of this process and return it when it answers; ``server.shutdown()`` ends it."""
    patch_emr()
    patch_emr_serverless()
    patch_emr_on_eks()
    repair_moto()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # otherwise it logs one line for each request
    server = make_server("127.0.0.1", port, LocalAws(), threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, name="aws", daemon=True).start()
    return server


def serve_aws(port: int = 0, ready_file: Path | None = None) -> None:
    """
    Serve until SIGTERM or SIGINT.

    :param port: 0: a free one.
    :param ready_file: file for ``{"endpoint_url": ..., "pid": ...}``, written when the server answers.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    if ready_file:
        ready_file.unlink(missing_ok=True)
    server = start_aws(port)
    if ready_file:
        part = ready_file.with_suffix(".part")
        part.write_text(json.dumps({"endpoint_url": f"http://127.0.0.1:{server.port}", "pid": os.getpid()}))
        part.replace(ready_file)
    ended.wait()
    server.shutdown()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="aws", description="An embedded AWS on 127.0.0.1, in memory.")
    parser.add_argument("--port", type=int, default=0, help="TCP port; default: a free one")
    parser.add_argument("--ready-file", type=Path, help="file for the address as JSON, written when the server answers")
    arguments = parser.parse_args(argv)
    serve_aws(arguments.port, arguments.ready_file)


if __name__ == "__main__":
    main()
