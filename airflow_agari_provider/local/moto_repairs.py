"""
Repairs of moto, which would lose or duplicate messages when it serves several clients at the same time.

moto's state is plain Python. Its SQS rebuilds the list of messages on every deletion: a message that another thread
adds at the same time is lost. So only one request at a time uses that state, under ``monitor``. This costs little time,
because moto needs the interpreter's lock anyway. A long poll lets other requests in while it waits.
"""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

import moto.backends
import moto.sqs.models
from moto.s3.models import S3Backend
from moto.sqs.models import SQSBackend

monitor = threading.Condition()
LOOK_AGAIN = 0.2  # seconds; how often a long poll looks for messages

_moto_receive_message = SQSBackend.receive_message
_moto_complete_multipart_upload = S3Backend.complete_multipart_upload


def _receive_message(
    self: Any,
    queue_name: str,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> list[Any]:
    end = time.monotonic() + wait_seconds_timeout
    with monitor:
        while True:
            messages: list[Any] = _moto_receive_message(
                self, queue_name, count, 0, visibility_timeout, message_attribute_names
            )
            left = end - time.monotonic()
            if messages or left <= 0:
                return messages
            monitor.wait(min(left, LOOK_AGAIN))


def _complete_multipart_upload(self: Any, *arguments: Any, **keywords: Any) -> Any:
    # moto would notify twice: for the upload, and for the put with which it stores the upload
    with monitor:
        self.put_object = functools.partial(self.put_object, disable_notification=True)
        try:
            return _moto_complete_multipart_upload(self, *arguments, **keywords)
        finally:
            del self.put_object


def repair_moto() -> None:
    """Repair moto in this process; further calls change nothing."""
    SQSBackend.receive_message = _receive_message
    S3Backend.complete_multipart_upload = _complete_multipart_upload
    # moto calls this for each message of each request; this takes a tenth of the time of moto's detour over datetime
    moto.sqs.models.unix_time_millis = lambda: time.time() * 1000.0
    # moto would list its own folder, 180 entries, for each request: a quarter of a small request's time
    services = tuple(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: services
