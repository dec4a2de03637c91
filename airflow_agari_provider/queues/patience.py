"""Requests to AWS that are sent again while their errors may pass."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from airflow_agari_provider.exceptions import may_pass, retrying
from airflow_agari_provider.queues.depth import DepthUnknown

logger = logging.getLogger(__name__)

T = TypeVar("T")
TRIES = 6  # for one request, in addition to botocore's own retries; the waits between them add up to 31 seconds


def patiently(request: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """
    Return the answer of a request to AWS. After a broken connection, throttling or a failure on AWS's side, the request
    is retried, up to ``TRIES`` times in all.

    :param request: sends the request.
    :param sleep: takes seconds.
    """
    again = retrying(
        passes=_may_pass,
        wait=lambda failed, error: 2.0 ** (failed - 1),
        tell=lambda failed, error, wait: logger.warning("Request to AWS failed, next try in %.0f s: %s", wait, error),
        tries=TRIES,
        sleep=sleep,
    )
    return again(request)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, DepthUnknown) or (isinstance(error, request_errors()) and may_pass(error))


def request_errors() -> tuple[type[Exception], ...]:
    """Classes of the errors that boto3's requests raise."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError
