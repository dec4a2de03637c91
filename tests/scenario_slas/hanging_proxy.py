"""A way to a PostgreSQL that can hang: connections are taken, and nothing is answered."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path


class HangingProxy:
    """
    Forwards connections from a TCP port to the Unix socket of a PostgreSQL.

    :param folder: where the server's socket is.
    """

    def __init__(self, folder: str) -> None:
        self._server = str(next(Path(folder).glob(".s.PGSQL.*[0-9]")))
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hang(self) -> None:
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    def close(self) -> None:
        self._flows.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=(source, target), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
