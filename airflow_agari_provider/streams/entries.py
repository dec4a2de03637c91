"""What the records of a stream hold: by which schema each was written, and its encoded rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from airflow_agari_provider.avro.blocks import MAGIC, ContainerFile
from airflow_agari_provider.avro.schemas import AvroSchema, parse_writer_schema
from airflow_agari_provider.exceptions import BadAvro
from airflow_agari_provider.streams.errors import BadPayload
from airflow_agari_provider.streams.kinesis import StreamRecord
from airflow_agari_provider.streams.payloads import MAX_DATUM_BYTES, READERS, what_it_begins_with
from airflow_agari_provider.streams.registry import KnownSchemas, SchemaRegistry

KNOWN_SCHEMAS = 1000  # parsed schemas that are kept; then they are parsed anew


@dataclass(frozen=True)
class Entry:
    """
    A record that says its schema.

    :param schema_id: the same for all records of the stream that have this schema.
    :param blocks: its encoded rows: how many, and their bytes.
    """

    record: StreamRecord
    schema_id: Any
    writer: AvroSchema
    blocks: Sequence[tuple[int, bytes]]

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.blocks)

    @property
    def size_bytes(self) -> int:
        return sum(len(data) for _, data in self.blocks)


class RecordReader:
    """
    Reads the headers of a stream's records.

    :param stream: its name, for errors.
    :param registry: that the records' headers name schemas of; None: each record is an Avro file with its own schema.
    """

    def __init__(self, stream: str, registry: SchemaRegistry | None) -> None:
        self.stream = stream
        self._known = KnownSchemas(registry, stream) if registry else None
        self._read = READERS[registry.wire_format] if registry else None
        self._parsed: dict[Any, AvroSchema] = {}

    def entry(self, record: StreamRecord) -> Entry:
        """
        Return what a record holds. Whether its bytes fit its schema shows only when they are decoded.

        :raises UnimportableObject: the record is not what it should be, or its schema is not known.
        :raises RegistryFailed: the registry does not answer.
        """
        if self._read is None or self._known is None:
            return self._file(record)
        schema_id, datum = self._read(record.data)
        if schema_id not in self._parsed:
            source = f"schema {schema_id} of {self._known.registry.name}"
            self._keep(schema_id, parse_writer_schema(self._known.schema(schema_id), source))
        return Entry(record, schema_id, self._parsed[schema_id], ((1, datum),))

    def _file(self, record: StreamRecord) -> Entry:
        if not record.data.startswith(MAGIC):
            raise BadPayload(f"it is not an Avro file with its own schema: {what_it_begins_with(record.data)}")
        try:
            file = ContainerFile(BytesIO(record.data), "the record", MAX_DATUM_BYTES)
            blocks = tuple((block.records, file.decompressed(block)) for block in file.blocks())
            schema_id = file.schema_text, file.legacy_calendar
            if schema_id not in self._parsed:
                self._keep(schema_id, parse_writer_schema(file.schema, "the record", file.legacy_calendar))
        except BadAvro as error:
            raise BadPayload(f"its Avro file is damaged at byte {error.offset}: {error.problem}") from error
        return Entry(record, schema_id, self._parsed[schema_id], blocks)

    def _keep(self, schema_id: Any, schema: AvroSchema) -> None:
        if len(self._parsed) >= KNOWN_SCHEMAS:
            self._parsed.clear()
        self._parsed[schema_id] = schema
