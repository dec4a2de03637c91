"""Choose the decoder of a file: Arrow if it is faster and holds every value as fastavro does, otherwise fastavro."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from typing import Literal

from airflow_agari_provider.avro.arrow.batches import missing_modules, why_missing
from airflow_agari_provider.avro.arrow.decoder import ArrowDecoder
from airflow_agari_provider.avro.arrow.fastavro_arrays import FastavroArrays
from airflow_agari_provider.avro.arrow.schema import NotForArrow
from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch, decode
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.exceptions import AgariError

logger = logging.getLogger(__name__)

Decoder = Literal["auto", "arrow", "fastavro"]


class ArrowUnusable(AgariError):
    """
    ``decoder="arrow"`` was asked for, but Arrow cannot be used.

    :param problem: why Arrow cannot be used, as a clause.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"decoder='arrow' cannot be used: {self.problem}. Pass decoder='auto', which uses fastavro here."


class DecoderChoice:
    """
    Chooses the decoder of each file of an import, and logs the choice when it changes.

    :param decoder: ``auto`` uses Arrow where it can; ``arrow`` fails where Arrow cannot be used; ``fastavro`` never
        decodes with Arrow.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._told = ""

    def batches(
        self,
        file: ContainerFile,
        writer: AvroSchema,
        reader: AvroSchema | None,
        columns: Sequence[Column],
        refusal: str | None,
    ) -> Generator[Batch]:
        """
        Return the records of a file; see :func:`airflow_agari_provider.avro.records.decode`. The caller has to close
        the generator.

        :param refusal: why the database does not accept Arrow's arrays, as a clause; None if it does.
        :raises ArrowUnusable: Arrow cannot be used, and ``decoder`` is ``arrow``.
        """
        if refusal is None and (missing := missing_modules()):
            refusal = why_missing(missing)
        decoder: ArrowDecoder | FastavroArrays | None = None
        if self._decoder != "fastavro":
            try:
                decoder = _arrow_decoder(writer, reader, columns, refusal)
                self._tell("Arrow")
            except NotForArrow as error:
                if self._decoder == "arrow":
                    raise ArrowUnusable(error.problem) from error
                self._tell(f"fastavro, not Arrow: {error.problem}")
        if refusal:
            return decode(file, writer, reader, columns)
        return (decoder or FastavroArrays(writer, reader, columns)).batches(file)

    def _tell(self, choice: str) -> None:
        if choice != self._told:
            logger.info("Decoding with %s", choice)
            self._told = choice


def _arrow_decoder(
    writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column], refusal: str | None
) -> ArrowDecoder:
    if refusal:
        raise NotForArrow(refusal)
    if writer.legacy_calendar:
        raise NotForArrow("Spark wrote the file by its legacy calendar")
    if reader:
        raise NotForArrow("reader_schema is given, and only fastavro resolves records to it")
    return ArrowDecoder(writer, columns)
