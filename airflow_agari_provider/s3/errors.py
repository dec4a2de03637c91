"""Why an object of S3 cannot be read."""

from __future__ import annotations

from airflow_agari_provider.exceptions import AgariError, UnimportableObject


class MissingObject(UnimportableObject):
    """
    An object that is not there, or no longer.

    :param url: its S3 URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return f"{self.url} does not exist: deleted or moved since it was announced. If it was not loaded, put it back."


class MissingBucket(UnimportableObject):
    """
    A bucket that is not there.

    :param url: S3 URL in it that was looked at.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return f"{self.url}: there is no such bucket. Correct the URL, or create the bucket."


class ForbiddenObject(UnimportableObject):
    """
    An object that may not be read, or a folder that may not be listed.

    :param url: its S3 URL.
    :param cause: what S3 says.
    """

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause)
        self.url, self.cause = url, cause

    def __str__(self) -> str:
        return (
            f"{self.url} is forbidden: {self.cause}. Allow the credentials of aws_conn_id what is missing (of an "
            "encrypted object also kms:Decrypt with its key), then import it again."
        )


class ObjectOverwritten(AgariError):
    """
    An object that was overwritten while it was read; trying again reads the new content.

    :param url: its S3 URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return (
            f"{self.url} was overwritten while it was read, so nothing of it was loaded. "
            "The next try reads the new content."
        )
