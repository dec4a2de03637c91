"""
Where moto, served to several clients at once, would lose or double a message.

moto's state is plain Python. Its SQS rebuilds the list of messages on every deletion: a message that another thread
adds meanwhile is gone. So one request at a time touches that state, under ``monitor`` (moto is bound by the
interpreter's lock anyway); only a long poll lets the others in while it waits.
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
LOOK_AGAIN = 0.2  # seconds between two looks of a long poll

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
    # moto notifies twice: of the upload, and of the put by which it stores the upload
    with monitor:
        self.put_object = functools.partial(self.put_object, disable_notification=True)
        try:
            return _moto_complete_multipart_upload(self, *arguments, **keywords)
        finally:
            del self.put_object


def repair_moto() -> None:
    """Repair the moto of this process; to be called any number of times."""
    SQSBackend.receive_message = _receive_message
    S3Backend.complete_multipart_upload = _complete_multipart_upload
    # asked per message and request: a tenth of the time of moto's detour over datetime
    moto.sqs.models.unix_time_millis = lambda: time.time() * 1000.0
    # moto would list its own folder, 180 entries, at each request: a quarter of a small request's time
    services = tuple(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: services
