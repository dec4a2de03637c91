"""Which decoder reads a file: Arrow where it is quicker and holds every value as fastavro does, else fastavro."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from typing import Literal

from airflow_agari_provider.avro.arrow.batches import missing_modules
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
    ``decoder="arrow"`` where Arrow cannot be used.

    :param problem: why not, as a clause.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"decoder='arrow' cannot be used: {self.problem}. Pass decoder='auto', which takes fastavro here."


class DecoderChoice:
    """
    Chooses the decoder of each file of an import, and logs the choice where it changes.

    :param decoder: ``auto`` takes Arrow where it can; ``arrow`` insists on it.
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
        The records of a file; see :func:`airflow_agari_provider.avro.records.decode`. To be closed.

        :param refusal: why the database does not take Arrow, as a clause; None if it does.
        :raises ArrowUnusable: and ``decoder`` is ``arrow``.
        """
        if refusal is None and (missing := missing_modules()):
            refusal = f"{', '.join(missing)} is not installed (extra [arrow])"
        decoder: ArrowDecoder | FastavroArrays | None = None
        if self._decoder != "fastavro":
            try:
                decoder = _arrow_decoder(writer, reader, columns, refusal)
                self._tell("Arrow")
            except NotForArrow as error:
                if self._decoder == "arrow":
                    raise ArrowUnusable(str(error)) from error
                self._tell(f"fastavro: {error}")
        if refusal:
            return decode(file, writer, reader, columns)
        return (decoder or FastavroArrays(writer, reader, columns)).batches(file)

    def _tell(self, choice: str) -> None:
        if choice != self._told:
            logger.info("Decoder: %s", choice)
            self._told = choice


def _arrow_decoder(
    writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column], refusal: str | None
) -> ArrowDecoder:
    if refusal:
        raise NotForArrow(refusal)
    if reader:
        raise NotForArrow("reader_schema asks for resolution")
    return ArrowDecoder(writer, columns)
