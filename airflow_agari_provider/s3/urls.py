"""S3 URLs, and the names that Hadoop and Spark hide."""

from __future__ import annotations


def split_url(url: str) -> tuple[str, str]:
    """
    (bucket, key) of an S3 URL; the key of a whole bucket is empty.

    :raises ValueError: no S3 URL.
    """
    scheme, _, path = url.partition("://")
    bucket, _, key = path.partition("/")
    if scheme not in ("s3", "s3a", "s3n") or not bucket:
        raise ValueError(f"{url!r} is no S3 URL; expected s3://bucket/key")
    return bucket, key


def hidden(path: str) -> bool:
    """Whether Hadoop and Spark pass over a path: a folder's own marker, or a name with ``_`` or ``.`` in front."""
    names = path.split("/")
    return not names[-1] or any(name.startswith(".") or (name.startswith("_") and "=" not in name) for name in names)
