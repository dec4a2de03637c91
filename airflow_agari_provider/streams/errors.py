"""Errors of streams: what of a record, a registry or a checkpoint cannot be used."""

from __future__ import annotations

from airflow_agari_provider.exceptions import AgariError, UnimportableObject, cut


class BadPayload(UnimportableObject):
    """
    A record whose bytes are not what its format says.

    :param problem: what is wrong, as a clause.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class UnknownSchema(UnimportableObject):
    """
    A record names a schema that its registry does not have.

    :param registry: name of the registry.
    :param schema_id: as the record's header has it.
    :param stream: that the record is in.
    """

    def __init__(self, registry: str, schema_id: str, stream: str) -> None:
        super().__init__(registry, schema_id, stream)
        self.registry, self.schema_id, self.stream = registry, schema_id, stream

    def __str__(self) -> str:
        return (
            f"A record of stream {self.stream} was written with schema {self.schema_id}, which {self.registry} does "
            "not have. Register the schema there, or correct registry=; if the record is damaged, have it quarantined."
        )


class RegistryFailed(AgariError):
    """
    A registry did not answer, or with something that is not a schema. It may do so later.

    :param registry: name of the registry.
    :param problem: what happened, as a clause.
    """

    def __init__(self, registry: str, problem: str) -> None:
        super().__init__(registry, problem)
        self.registry, self.problem = registry, problem

    def __str__(self) -> str:
        return f"{self.registry}: {self.problem}."


class IncompatibleSchema(AgariError):
    """
    A schema that is not registered, because it does not fit to those before it.

    :param registry: name of the registry.
    :param subject: name under which it was to be registered.
    :param problem: why it does not fit.
    """

    def __init__(self, registry: str, subject: str, problem: str) -> None:
        super().__init__(registry, subject, problem)
        self.registry, self.subject, self.problem = registry, subject, problem

    def __str__(self) -> str:
        return (
            f"{self.registry} did not register the schema as {self.subject!r}: {cut(self.problem, 1000)}. Give new "
            "fields a default, and do not change the types of old ones."
        )
