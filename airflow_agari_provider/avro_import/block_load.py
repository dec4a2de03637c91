"""Decodes blocks for the table of a job, whichever source they come from: objects, or the records of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.decoders import DecoderChoice
from airflow_agari_provider.avro.reader_defaults import parsed_reader
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.avro_import.errors import UnusableName
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.origin import fields_of
from airflow_agari_provider.avro_import.row_counts import CountedValues
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.statements import quoted_list


class BlockLoad:
    """
    What all loads of a job share.

    :param connection: DB-API connection.
    """

    def __init__(self, dialect: Dialect, connection: Any, job: ImportJob) -> None:
        self._dialect, self._connection = dialect, connection
        self.values_counted = CountedValues(job.max_counts)
        self.reader = parsed_reader(job.reader_schema) if job.reader_schema else None
        self._decoder = DecoderChoice(job.decoder)

    def require_names(self, target: Target, source: str) -> None:
        """:raises UnusableName: no column can have the name of a field."""
        try:
            quoted_list(self._dialect, [column.name for column in target.columns])
        except ValueError as error:
            raise UnusableName(source, str(error)) from error

    @contextmanager
    def decoded(
        self,
        file: ContainerFile,
        read_by: tuple[AvroSchema, AvroSchema | None],
        target: Target,
        also: Sequence[Column] = (),
    ) -> Iterator[Iterator[Batch]]:
        """
        In a transaction: decode a file for the table, in the way that the database takes, without the origin.

        :param read_by: as ``ReadSchema`` has it.
        :param also: further columns of the batches, which the table does not get.
        """
        refusal = self._dialect.arrow_refusal(self._connection, target)
        decoding = self._decoder.batches(file, *read_by, (*fields_of(target), *also), refusal)
        try:
            yield decoding
        finally:
            with suppress(ValueError):  # a thread may still be in it, waiting for S3
                decoding.close()
