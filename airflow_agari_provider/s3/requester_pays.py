"""Requests to buckets whose requesters pay."""

from __future__ import annotations

from typing import Any

_EVENT = "provide-client-params.s3"


def pay_for_requests(s3: Any) -> None:
    """
    Let a client of S3 say in each request that its account pays for it. Other buckets ignore that.

    :param s3: boto3 client of S3.
    """
    s3.meta.events.register(_EVENT, _paying, unique_id="agari-requester-pays")


def _paying(params: dict[str, Any], model: Any, **kwargs: Any) -> dict[str, Any]:
    return params | {"RequestPayer": "requester"} if "RequestPayer" in model.input_shape.members else params
