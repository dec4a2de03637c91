"""The AWS Glue Schema Registry."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from airflow_agari_provider.streams.errors import IncompatibleSchema, RegistryFailed
from airflow_agari_provider.streams.payloads import WireFormat
from airflow_agari_provider.streams.registry import RegistryAccess

CHECK_SECONDS = 30  # Glue checks the compatibility after it has answered; this takes a second or two
CHECK_INTERVAL = 1


@dataclass
class GlueRegistry:
    """
    The AWS Glue Schema Registry, of the operator's AWS connection. Its serializers write the id of a schema version.

    :param registry_name: name of the registry.
    :param schema_name: the records' schemas are versions of this schema; a record with another one is refused. None:
        versions of all schemas.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("registry_name", "schema_name")

    registry_name: str = "default-registry"
    schema_name: str | None = None

    def opened(self, access: RegistryAccess) -> GlueSchemas:
        return GlueSchemas(access.aws("glue"), self.registry_name, self.schema_name)


class GlueSchemas:
    """
    The schemas of a registry in Glue. The parameters are those of :class:`GlueRegistry`.

    :param glue: boto3 client of Glue.
    :param sleep: takes seconds.
    """

    wire_format: WireFormat = "glue"

    def __init__(
        self, glue: Any, registry_name: str, schema_name: str | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._glue, self._registry_name, self._schema_name, self._sleep = glue, registry_name, schema_name, sleep
        self.name = f"the Glue schema registry {registry_name!r}"

    def schema(self, schema_id: str) -> Any:
        answer = self._version(schema_id)
        if answer is None or not self._is_of_the_schema(str(answer.get("SchemaArn", ""))):
            return None
        if answer["DataFormat"] != "AVRO":
            raise RegistryFailed(self.name, f"schema version {schema_id} is {answer['DataFormat']}, not AVRO")
        try:
            return json.loads(answer["SchemaDefinition"])
        except (ValueError, RecursionError) as error:
            raise RegistryFailed(self.name, f"schema version {schema_id} is not JSON ({error})") from error

    def register(self, subject: str, schema: Any) -> str:
        definition = json.dumps(schema)
        schema_id = {"RegistryName": self._registry_name, "SchemaName": subject}
        try:
            answer = self._glue.register_schema_version(SchemaId=schema_id, SchemaDefinition=definition)
        except self._glue.exceptions.EntityNotFoundException:
            answer = self._glue.create_schema(
                RegistryId={"RegistryName": self._registry_name},
                SchemaName=subject,
                DataFormat="AVRO",
                Compatibility="BACKWARD",
                SchemaDefinition=definition,
            )
        version_id, status = str(answer["SchemaVersionId"]), answer.get("Status", answer.get("SchemaVersionStatus"))
        for _ in range(CHECK_SECONDS // CHECK_INTERVAL):
            if status != "PENDING":
                break
            self._sleep(CHECK_INTERVAL)
            status = (self._version(version_id) or {}).get("Status", "DELETING")
        if status == "FAILURE":
            raise IncompatibleSchema(self.name, subject, "Glue's check of the compatibility failed")
        if status != "AVAILABLE":
            raise RegistryFailed(self.name, f"schema version {version_id} is {status} after {CHECK_SECONDS} s")
        return version_id

    def _version(self, version_id: str) -> Any:
        try:
            return self._glue.get_schema_version(SchemaVersionId=version_id)
        except self._glue.exceptions.EntityNotFoundException:
            return None

    def _is_of_the_schema(self, arn: str) -> bool:
        """Whether a version's ARN, ``...:schema/<registry>/<schema>``, is of the registry and schema that are meant."""
        registry, _, schema = arn.rpartition(":schema/")[2].partition("/")
        return registry == self._registry_name and self._schema_name in (None, schema)
