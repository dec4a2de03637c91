"""
Errors that cross modules.

Each passes its values to ``super().__init__`` and builds its text in ``__str__``: so it pickles as it is, which
Airflow needs to hand it from one process to another.
"""

from __future__ import annotations


class AgariError(Exception):
    """Base of every error this package raises on purpose; anything else is a bug."""


class UnimportableObject(AgariError):
    """An object that no retry can import as it is: only a person, or a new version of the object, can change that."""


class BadAvro(UnimportableObject):
    """
    An object that is no sound Avro object container file.

    :param source: name of the object, such as its S3 URL.
    :param offset: bytes from the start of the file to the damage.
    :param problem: what is wrong, as a clause.
    """

    def __init__(self, source: str, offset: int, problem: str) -> None:
        super().__init__(source, offset, problem)
        self.source = source
        self.offset = offset
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"{self.source}, byte {self.offset}: {self.problem}. Nothing of this file was loaded; have it written anew."
        )
