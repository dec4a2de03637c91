"""S3 URLs, and which names are data: not those that Hadoop and Spark hide."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

# ARNs that stand for a bucket: of an access point, also of several regions, and of one on Outposts. Slashes or colons
# are before the names.
_ARN = re.compile(r"arn:[^/]*?:(?:outpost[/:][^/:]+[/:])?accesspoint[/:][^/]+")


def split_url(url: str) -> tuple[str, str]:
    """
    Return (bucket, key) of an S3 URL; the key of a whole bucket is empty.

    The bucket may be the ARN of an access point, as boto3 takes it: ``s3://arn:.../accesspoint/name/key``.

    :raises ValueError: the text is not an S3 URL.
    """
    scheme, _, path = url.partition("://")
    arn = _ARN.match(path)
    bucket, _, key = (arn[0], "", path[arn.end() + 1 :]) if arn else path.partition("/")
    if scheme not in ("s3", "s3a", "s3n") or not bucket:
        raise ValueError(f"{url!r} is not an S3 URL; expected s3://bucket/key")
    return bucket, key


def is_below(url: str, bucket: str, key: str) -> bool:
    """
    Whether an object is the one at an S3 URL, or is below it as a folder.

    ``s3://b/hour=1`` is not above ``s3://b/hour=10/part-0``.

    :raises ValueError: the text is not an S3 URL.
    """
    its_bucket, its_key = split_url(url)
    folder = its_key.rstrip("/") + "/" if its_key else ""
    return bucket == its_bucket and (key == its_key or key.startswith(folder))


def hidden(path: str) -> bool:
    """
    Whether Hadoop and Spark skip a path: the marker object of a folder, or a name that begins with ``_`` or ``.``.

    The folder of a partition, such as ``_org=1``, is not hidden.
    """
    names = path.split("/")
    return not names[-1] or any(name.startswith(".") or (name.startswith("_") and "=" not in name) for name in names)


def uncommitted(key: str) -> bool:
    """
    Whether an object is in a folder in which Hadoop, Spark and Hive keep output until they commit it.

    Such output may be of an attempt that failed, and the commit writes it again at its place. For whole keys: other
    than :func:`hidden`, it takes no other folder whose name begins with ``_`` for a hidden one.
    """
    *folders, _ = key.split("/")
    return any(folder in ("_temporary", "__magic") or folder.startswith(".") for folder in folders)


def is_data(path: str, pattern: str | None) -> bool:
    """
    Whether an object is data, by its name: not hidden, not the marker of a folder, not below uncommitted output.

    :param path: the key, or its part below a folder.
    :param pattern: for the last part of the name, with ``*``, ``?`` and ``[...]``; None takes every name.
    """
    name = path.rpartition("/")[2]
    if uncommitted(path) or hidden(name) or name.endswith("_$folder$"):  # the marker that EMR's file system writes
        return False
    return pattern is None or fnmatchcase(name, pattern)
