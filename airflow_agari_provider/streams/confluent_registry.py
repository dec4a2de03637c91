"""
A registry with Confluent's HTTP API: Confluent's own, Karapace, Apicurio, Redpanda.

Three requests are all that is needed, so they are made with requests, which Airflow brings. Confluent's own client
(confluent-kafka with its extra for the registry) would add a library in C for Kafka and six further packages.
Source: Confluent Schema Registry API reference.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.streams.errors import IncompatibleSchema, RegistryFailed
from airflow_agari_provider.streams.payloads import WireFormat
from airflow_agari_provider.streams.registry import HttpServer, RegistryAccess
from airflow_agari_provider.streams.registry_requests import RegistryRequests


@dataclass
class ConfluentRegistry:
    """
    A registry with Confluent's HTTP API. Its serializers write a zero and the id of a schema.

    :param http_conn_id: Airflow connection of type HTTP to the registry.
    :param subject: the records' schemas are versions of this subject; a record with another one is refused. None:
        versions of all subjects.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("http_conn_id", "subject")

    http_conn_id: str = "schema_registry_default"
    subject: str | None = None

    def opened(self, access: RegistryAccess) -> ConfluentSchemas:
        return ConfluentSchemas(access.http(self.http_conn_id), self.subject)


class ConfluentSchemas:
    """
    The schemas of a registry at an address.

    :param subject: as for :class:`ConfluentRegistry`.
    """

    wire_format: WireFormat = "confluent"

    def __init__(self, server: HttpServer, subject: str | None = None) -> None:
        self.name = f"the schema registry {server.url}"
        self._requests = RegistryRequests(server, self.name)
        self._subject = subject

    def schema(self, schema_id: str) -> Any:
        place = f"/schemas/ids/{quote(schema_id, safe='')}"
        status, answer = self._requests.ask("GET", place)
        if status == 404:
            return None
        answer = self._required(status, answer, f"for schema {schema_id}")
        if self._subject is not None:
            status, subjects = self._requests.ask("GET", f"{place}/subjects")
            if self._subject not in self._required(status, subjects, f"for the subjects of schema {schema_id}", list):
                return None
        if answer.get("references"):  # to types that are registered on their own
            status, resolved = self._requests.ask("GET", f"{place}?format=resolved")
            answer = self._required(status, resolved, f"for schema {schema_id} with its references")
        if (kind := answer.get("schemaType", "AVRO")) != "AVRO":
            raise RegistryFailed(self.name, f"schema {schema_id} is {kind}, not AVRO")
        try:
            return json.loads(answer["schema"])
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise RegistryFailed(self.name, f"its answer for schema {schema_id} holds no schema ({error!r})") from error

    def register(self, subject: str, schema: Any) -> str:
        body, name = {"schema": json.dumps(schema), "schemaType": "AVRO"}, quote(subject, safe="")
        status, answer = self._requests.ask(
            "POST", f"/compatibility/subjects/{name}/versions/latest?verbose=true", body
        )
        if status != 404:  # 404: the subject has no version yet
            answer = self._required(status, answer, f"for the compatibility with {subject!r}")
            if not answer.get("is_compatible"):
                raise IncompatibleSchema(
                    self.name, subject, "; ".join(map(str, answer.get("messages") or ["no reason"]))
                )
        status, answer = self._requests.ask("POST", f"/subjects/{name}/versions", body)
        if status == 409:
            said = answer.get("message") if isinstance(answer, dict) else None
            raise IncompatibleSchema(self.name, subject, str(said or "no reason"))
        answer = self._required(status, answer, f"to a new version of {subject!r}")
        if "id" not in answer:
            raise RegistryFailed(self.name, f"its answer to a new version of {subject!r} has no id")
        return str(answer["id"])

    def _required(self, status: int, answer: Any, what: str, kind: type = dict) -> Any:
        """Return an answer of a kind of JSON. :raises RegistryFailed: it is another one, or an error."""
        if status >= 300 or not isinstance(answer, kind):
            raise RegistryFailed(self.name, f"it answered {status} {what}: {cut(json.dumps(answer), 300)}")
        return answer
