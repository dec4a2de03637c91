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
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.s3.objects import ObjectStream, StoredObject


@dataclass(frozen=True)
class OpenedObject:
    """
    An object of which the header was read.

    :param salvaged: the same file, for an import that quarantines what is bad; else None.
    :param writer: schema of the file.
    :param read_by: the schemas to decode by: of the file, and the one to resolve the records to or None; see
        :func:`with_branches`.
    :param target: the table, with a column for each field that the job names.
    """

    stored: StoredObject
    file: ContainerFile
    salvaged: SalvagedFile | None
    writer: AvroSchema
    read_by: tuple[AvroSchema, AvroSchema | None]
    target: Target


def open_object(stream: ObjectStream, job: ImportJob, reader: AvroSchema | None, careful: bool = False) -> OpenedObject:
    """
    Read an object's header.

    :param reader: schema to resolve the records to; None takes them as written.
    :param careful: the file may be damaged; read what is sound.
    :raises BadAvro: the file does not begin with an Avro header.
    :raises ReaderSchemaMismatch: no record of the file could be resolved to the reader schema.
    :raises MissingFields: the job names fields that the file does not have.
    :raises UnsupportedAvroType: the branch of a union would be lost, rows cannot be counted by the column that the job
        names, or the file has no fields.
    """
    salvaged = SalvagedFile(stream, stream.stored.url) if careful else None
    file = salvaged.file if salvaged else ContainerFile(stream, stream.stored.url)
    writer = parse_writer_schema(file.schema, file.source, file.legacy_calendar)
    if reader:
        require_resolvable(writer, reader, file.source)
    columns = columns_of(reader or writer, job.columns, job.bytes_in_json)
    names = [column.name for column in columns]
    needed = {*job.key_columns, job.count_by} - {None}
    if missing := sorted(str(name) for name in needed if name not in names):
        raise MissingFields(missing, names)
    if any(column.name == job.count_by and column.kind == "json" for column in columns):
        raise UnsupportedAvroType(str(job.count_by), "rows cannot be counted by it, because it holds JSON")
    require_told_apart(reader or writer, columns, job.unions)
    read_by = with_branches(writer, reader, job.unions)
    return OpenedObject(stream.stored, file, salvaged, writer, read_by, Target(job.table, columns, job.key_columns))
