"""A folder on S3 as a registry: each schema is a file that is named by the schema's fingerprint. It needs no server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from airflow_agari_provider.avro.schemas import parse_reader_schema
from airflow_agari_provider.exceptions import require_one_of
from airflow_agari_provider.s3.urls import split_url
from airflow_agari_provider.streams.compatibility import Compatibility, why_incompatible
from airflow_agari_provider.streams.errors import IncompatibleSchema, RegistryFailed
from airflow_agari_provider.streams.payloads import WireFormat
from airflow_agari_provider.streams.registry import RegistryAccess

MAX_SCHEMA_BYTES = 16 * 1024 * 1024
MAX_SCHEMAS = 10_000  # that a new schema is compared with
SUFFIX = ".avsc"


def fingerprint(schema: Any) -> str:
    """
    Return the CRC-64-AVRO fingerprint of a schema, in hexadecimal digits, in the order of a single object's header.

    :raises ValueError: the schema is not valid.
    """
    from fastavro.schema import fingerprint, to_parsing_canonical_form

    parse_reader_schema(schema)
    return str(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


@dataclass
class S3SchemaFolder:
    """
    A folder on S3 with a file ``<fingerprint>.avsc`` for each schema; for records in Avro's single-object encoding.

    :param url: ``s3://`` URL of the folder.
    :param compatibility: what ``register`` asks of a schema beside those of the same full name that the folder has:
        ``backward``: it reads their records; ``forward``: they read its records; ``full``: both; ``none``.
    :raises ValueError: ``compatibility`` has another value.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("url",)

    url: str
    compatibility: Compatibility = "backward"

    def __post_init__(self) -> None:
        require_one_of("compatibility", self.compatibility, get_args(Compatibility))

    def opened(self, access: RegistryAccess) -> FolderSchemas:
        return FolderSchemas(access.aws("s3"), self.url, self.compatibility)


class FolderSchemas:
    """
    The schemas of a folder. The parameters are those of :class:`S3SchemaFolder`.

    :param s3: boto3 client of S3.
    """

    wire_format: WireFormat = "single_object"

    def __init__(self, s3: Any, url: str, compatibility: Compatibility = "backward") -> None:
        self._s3, self._compatibility = s3, compatibility
        self._bucket, prefix = split_url(url)
        self._prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        self.name = f"the schema folder {url}"

    def schema(self, schema_id: str) -> Any:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._key(schema_id))
        except self._s3.exceptions.NoSuchKey:
            return None
        where = f"its file {schema_id}{SUFFIX}"
        try:
            schema = json.loads(answer["Body"].read(MAX_SCHEMA_BYTES))
            found = fingerprint(schema)
        except (ValueError, RecursionError) as error:
            raise RegistryFailed(self.name, f"{where} is not an Avro schema ({error})") from error
        if found != schema_id:
            raise RegistryFailed(self.name, f"{where} holds another schema, whose fingerprint is {found}")
        return schema

    def register(self, subject: str, schema: Any) -> str:
        """
        Put a schema into the folder; see :meth:`SchemaRegistry.register`.

        Two that are registered at the same moment are not compared with each other.

        :param subject: full name of the schema's record.
        """
        parsed, schema_id = parse_reader_schema(schema), fingerprint(schema)
        name = _full_name(parsed.definition)
        if name != subject:
            raise IncompatibleSchema(self.name, subject, f"the schema's own name is {name!r}")
        for other_id, old in self._others(schema_id) if self._compatibility != "none" else ():
            if _full_name(parse_reader_schema(old).definition) != subject:
                continue
            if problem := why_incompatible(schema, old, self._compatibility):
                raise IncompatibleSchema(self.name, subject, f"beside {other_id}{SUFFIX}, {problem}")
        self._s3.put_object(Bucket=self._bucket, Key=self._key(schema_id), Body=json.dumps(schema).encode())
        return schema_id

    def _key(self, schema_id: str) -> str:
        return f"{self._prefix}{schema_id}{SUFFIX}"

    def _others(self, schema_id: str) -> Iterator[tuple[str, Any]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        names = [entry["Key"].removeprefix(self._prefix) for page in pages for entry in page.get("Contents", [])]
        ids = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX) and "/" not in name]
        if len(ids) > MAX_SCHEMAS:
            raise RegistryFailed(
                self.name, f"it has {len(ids)} schemas; a new one is compared with {MAX_SCHEMAS} at most"
            )
        yield from ((one, self.schema(one)) for one in ids if one != schema_id)


def _full_name(definition: Any) -> str:
    return str(definition["name"] if isinstance(definition, dict) and "name" in definition else definition)
