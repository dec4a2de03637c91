"""Reads the header of an object: what the object holds, and which columns its fields go to."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import MissingFields, UnsupportedAvroType, columns_of
from airflow_agari_provider.avro.damaged_file import SalvagedFile
from airflow_agari_provider.avro.resolution import require_resolvable
from airflow_agari_provider.avro.schemas import AvroSchema, parse_writer_schema
from airflow_agari_provider.avro.union_branches import require_told_apart, with_branches
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.origin import origin_columns
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.s3.objects import ObjectStream, StoredObject

KNOWN_SCHEMAS = 100  # schemas that are kept; then they are read anew


@dataclass(frozen=True)
class ReadSchema:
    """
    What an import makes of the schema of a file.

    :param writer: the schema.
    :param read_by: the schemas to decode by: of the file, and the one to resolve the records to or None; see
        :func:`with_branches`.
    :param target: the table, with a column for each field that the job names.
    """

    writer: AvroSchema
    read_by: tuple[AvroSchema, AvroSchema | None]
    target: Target


@dataclass(frozen=True)
class OpenedObject:
    """
    An object of which the header was read.

    :param salvaged: the same file, for an import that quarantines what is bad; else None.
    """

    stream: ObjectStream
    file: ContainerFile
    salvaged: SalvagedFile | None
    schema: ReadSchema

    @property
    def stored(self) -> StoredObject:
        return self.stream.stored

    @property
    def target(self) -> Target:
        return self.schema.target


class ObjectOpener:
    """
    Opens the objects of a job. Files often have the same schema, which is then read once.

    :param reader: schema to resolve the records to; None takes them as written.
    """

    def __init__(self, job: ImportJob, reader: AvroSchema | None) -> None:
        self._job, self._reader = job, reader
        self._known: dict[tuple[bytes, bool], ReadSchema] = {}

    def open(self, stream: ObjectStream, careful: bool = False) -> OpenedObject:
        """
        Read an object's header.

        :param careful: the file may be damaged; read what is sound.
        :raises BadAvro: the file does not begin with an Avro header.
        :raises ReaderSchemaMismatch: no record of the file could be resolved to the reader schema.
        :raises MissingFields: the job names fields that the file does not have.
        :raises UnsupportedAvroType: the branch of a union would be lost, rows cannot be counted by the column that the
            job names, or the file has no fields.
        """
        settings = stream, stream.stored.url, self._job.max_block_bytes
        salvaged = SalvagedFile(*settings) if careful else None
        file = salvaged.file if salvaged else ContainerFile(*settings)
        key = file.schema_text, file.legacy_calendar
        if key not in self._known:
            writer = parse_writer_schema(file.schema, file.source, file.legacy_calendar)
            found = read_schema(self._job, self._reader, writer, file.source)
            if len(self._known) >= KNOWN_SCHEMAS:
                self._known.clear()
            self._known[key] = found
        return OpenedObject(stream, file, salvaged, self._known[key])


def read_schema(job: ImportJob, reader: AvroSchema | None, writer: AvroSchema, source: str) -> ReadSchema:
    """
    Return what an import makes of a schema. Errors are those of :meth:`ObjectOpener.open`.

    :param reader: schema to resolve the records to; None takes them as written.
    :param writer: schema that the records were written with.
    :param source: name of what has the schema, for errors.
    """
    if reader:
        require_resolvable(writer, reader, source)
    columns = columns_of(reader or writer, job.columns, job.bytes_in_json)
    require_told_apart(reader or writer, columns, job.unions)
    columns += origin_columns(job.origin_columns)
    names = [column.name for column in columns]
    needed = {*job.key_columns, job.count_by} - {None}
    if missing := sorted(str(name) for name in needed if name not in names):
        raise MissingFields(missing, names)
    if any(column.name == job.count_by and column.kind == "json" for column in columns):
        raise UnsupportedAvroType(str(job.count_by), "rows cannot be counted by it, because it holds JSON")
    return ReadSchema(writer, with_branches(writer, reader, job.unions), Target(job.table, columns, job.key_columns))
