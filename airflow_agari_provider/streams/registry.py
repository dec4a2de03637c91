"""Schema registries: what every registry can do, and a cache in front of the one that a stream's records use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from airflow_agari_provider.streams.errors import UnknownSchema
from airflow_agari_provider.streams.payloads import WireFormat

KNOWN_SCHEMAS = 1000  # schemas that are kept, and as many ids that the registry does not have; then both are asked anew


class SchemaRegistry(Protocol):
    """
    A place that keeps schemas by id.

    :param name: what it is and where, for errors and logs.
    :param wire_format: how the records that use it name their schema.
    """

    name: str
    wire_format: WireFormat

    def schema(self, schema_id: str) -> Any:
        """
        Return a schema as JSON, or None if the registry does not have it.

        :param schema_id: as a reader of :mod:`airflow_agari_provider.streams.payloads` returns it.
        :raises RegistryFailed: it did not answer, or with something else than an Avro schema.
        :raises botocore.exceptions.ClientError: AWS refused the request.
        """

    def register(self, subject: str, schema: Any) -> str:
        """
        Register a schema, if it fits to those of the subject, and return its id. It may be registered already.

        :param subject: name for all versions of the schema.
        :param schema: as JSON.
        :raises IncompatibleSchema: it does not fit to those before it.
        """


@dataclass(frozen=True)
class HttpServer:
    """
    An HTTP server, as an Airflow connection describes it.

    :param url: without a slash at its end, and without user and password.
    :param auth: user and password, or None.
    """

    url: str
    auth: tuple[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class RegistryAccess(Protocol):
    """What a registry needs to be opened; the operator gives it by Airflow's connections."""

    def aws(self, service: str) -> Any:
        """Return a boto3 client."""

    def http(self, conn_id: str) -> HttpServer:
        """Return the server of a connection."""


class RegistryPlace(Protocol):
    """Which registry a DAG means; see :class:`GlueRegistry`, :class:`ConfluentRegistry`, :class:`S3SchemaFolder`."""

    template_fields: ClassVar[tuple[str, ...]]

    def opened(self, access: RegistryAccess) -> SchemaRegistry:
        """Return the registry."""


class KnownSchemas:
    """
    The schemas of a registry, each of which is asked for once.

    :param stream: whose records name the schemas, for errors.
    """

    def __init__(self, registry: SchemaRegistry, stream: str) -> None:
        self.registry, self.stream = registry, stream
        self._known: dict[str, Any] = {}

    def schema(self, schema_id: str) -> Any:
        """:raises UnknownSchema: the registry does not have it; otherwise as :meth:`SchemaRegistry.schema`."""
        if schema_id not in self._known:
            found = self.registry.schema(schema_id)
            if len(self._known) >= KNOWN_SCHEMAS:
                self._known.clear()
            self._known[schema_id] = found
        if self._known[schema_id] is None:
            raise UnknownSchema(self.registry.name, schema_id, self.stream)
        return self._known[schema_id]
