"""Reasons why an S3 object cannot be read."""

from __future__ import annotations

from airflow_agari_provider.exceptions import AgariError, UnimportableObject


class MissingObject(UnimportableObject):
    """
    An object that does not exist, or no longer exists.

    :param url: its S3 URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return (
            f"{self.url} does not exist: it was deleted or moved after S3 announced or listed it. "
            "If it was not loaded yet, put it back; if such objects may be left out, set on_missing_object='skip'."
        )


class MissingBucket(UnimportableObject):
    """
    A bucket that does not exist.

    :param url: the S3 URL in that bucket that was requested.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return f"{self.url}: the bucket does not exist. Correct the URL, or create the bucket."


class UnusableBucket(UnimportableObject):
    """
    An S3 URL whose bucket, access point or key S3 cannot have.

    :param url: the URL.
    :param cause: error text of boto3.
    """

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause)
        self.url, self.cause = url, cause

    def __str__(self) -> str:
        return (
            f"{self.url} cannot be requested from S3: {self.cause}. Correct the URL: s3://bucket/key, or "
            "s3://arn:aws:s3:<region>:<account>:accesspoint/<name>/key for an access point."
        )


class ForbiddenObject(UnimportableObject):
    """
    An object that may not be read or written, or a folder that may not be listed.

    :param url: its S3 URL.
    :param cause: error text of S3.
    """

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause)
        self.url, self.cause = url, cause

    def __str__(self) -> str:
        return (
            f"Access to {self.url} is forbidden: {self.cause}. Give the credentials of aws_conn_id the missing "
            "permission (for an encrypted object also kms:Decrypt with its key), then import it again. If the "
            "bucket's requesters pay, set requester_pays=True. Without s3:ListBucket this may also be an object that "
            "is gone."
        )


class ArchivedObject(UnimportableObject):
    """
    An object in an archive, such as Glacier, that has to be restored before it can be read.

    :param url: its S3 URL.
    :param cause: error text of S3.
    """

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause)
        self.url, self.cause = url, cause

    def __str__(self) -> str:
        return (
            f"{self.url} is in an archive (Glacier or Deep Archive), where S3 does not read it: {self.cause}. Restore "
            "it (aws s3api restore-object), then import it again."
        )


class EncodedObject(UnimportableObject):
    """
    An object that was compressed as a whole, around the Avro file.

    :param url: its S3 URL.
    :param encoding: its Content-Encoding.
    """

    def __init__(self, url: str, encoding: str) -> None:
        super().__init__(url, encoding)
        self.url, self.encoding = url, encoding

    def __str__(self) -> str:
        return (
            f"{self.url} has Content-Encoding {self.encoding}: it was compressed as a whole, so that no block can be "
            "checked. Nothing of it was loaded. Let its producer use Avro's own compression (avro.codec) instead."
        )


class ObjectOverwritten(AgariError):
    """
    An object that was overwritten while it was read; a retry reads the new content.

    :param url: its S3 URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return (
            f"{self.url} was overwritten while it was read, so nothing of it was loaded. A retry reads the new content."
        )
