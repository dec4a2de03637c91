"""A mail server that keeps what it takes, and ports on which no server listens."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from email import policy
from email.parser import BytesParser
from typing import Any

import pytest


def free_port() -> int:
    """A port on which no server listens."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def smtp_connection(port: int) -> str:
    """Value of an ``AIRFLOW_CONN_*`` variable of a mail server on this port."""
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.com", "retry_limit": 0}
    return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra})


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Mails that a real SMTP server took; ``smtp_default`` leads there."""
    from aiosmtpd.controller import Controller

    class Keeper(list[Any]):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
            self.append((envelope.rcpt_tos, BytesParser(policy=policy.default).parsebytes(envelope.content)))
            return "250 OK"

    kept = Keeper()
    controller = Controller(kept, hostname="127.0.0.1", port=free_port())
    controller.start()
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(controller.port))
    yield kept
    controller.stop()
