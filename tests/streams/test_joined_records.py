"""Records that are joined into one file are read as each alone would be; none takes a byte of the next."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_agari_provider.avro.decoders import DecoderChoice
from airflow_agari_provider.avro.reader_defaults import parsed_reader
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.origin import fields_of
from airflow_agari_provider.exceptions import BadAvro
from airflow_agari_provider.streams.entries import Entry, RecordReader
from airflow_agari_provider.streams.joined_records import NotInItsPlace, RecordSchema
from airflow_agari_provider.streams.kinesis import StreamRecord
from tests.streams.collector_config import COLLECTOR_CONFIG, CONFIG
from tests.streams.producing import Registry
from tests.streams.wire import confluent, datum

JOB = ImportJob("configs", "r")
REGISTRY = Registry(_2=COLLECTOR_CONFIG)


def entry(data: bytes) -> Entry:
    return RecordReader("nrt", REGISTRY).entry(StreamRecord("1", confluent(2, data), datetime.now(UTC)))


def config(number: int) -> bytes:
    smtp = None if number % 3 == 0 else {"port": number, "banner": "hi" * (number % 5)}
    return datum(COLLECTOR_CONFIG, CONFIG | {"collector_id": f"c{number}", "smtp": smtp})


def values(schema: RecordSchema, entries: list[Entry], decoder: str) -> list[tuple[Any, ...]]:
    target = schema.read.target
    columns = (*fields_of(target), *schema.mark_columns)
    batches = DecoderChoice(decoder).batches(schema.file(entries), *schema.marked_read, columns, None)  # type: ignore[arg-type]
    unmarked = list(schema.unmarked(batches, target.columns))
    return [row for batch in unmarked for row in zip(*batch.columns, strict=True)]


@pytest.mark.parametrize("decoder", ["auto", "fastavro"])
@pytest.mark.parametrize("reader", [None, COLLECTOR_CONFIG], ids=["as written", "reader schema"])
def test_joined_records_have_the_values_that_each_has_alone(decoder, reader):
    entries = [entry(config(number)) for number in range(3000)]
    schema = RecordSchema(JOB, parsed_reader(reader) if reader else None, entries[0].writer, "nrt")
    rows = values(schema, entries, decoder)
    assert [row[0] for row in rows] == [f"c{number}" for number in range(3000)]
    assert rows[:2] == values(schema, entries[:1], decoder) + values(schema, entries[1:2], decoder)
    assert [len(row) for row in rows[:1]] == [len(COLLECTOR_CONFIG["fields"])]


def test_a_record_that_is_too_short_or_too_long_is_found_wherever_it_is():
    """Two neighbours that together have the right bytes are found too, with bytes moved in any way between them."""
    chance = random.Random(21)
    schema = RecordSchema(JOB, None, entry(config(0)).writer, "nrt")
    good = [entry(config(number)) for number in range(20)]
    for _ in range(300):
        where, moved = chance.randrange(19), chance.choice([-3, -2, -1, 1, 2, 3])
        both = good[where].blocks[0][1] + good[where + 1].blocks[0][1]
        cut = len(good[where].blocks[0][1]) + moved
        pair = [entry(both[:cut]), entry(both[cut:])]
        if not any(schema.why_bad(one) for one in pair):
            continue  # both happen to be whole records
        with pytest.raises((NotInItsPlace, BadAvro)):
            values(schema, [*good[:where], *pair, *good[where + 2 :]], "fastavro")


def test_any_damaged_byte_of_a_datum_gives_an_error_or_the_row_that_it_gives_alone():
    data = config(4)
    schema = RecordSchema(JOB, None, entry(data).writer, "nrt")
    for position in range(len(data)):
        for change in (0x01, 0x02, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[position] ^= change
            between = [entry(config(1)), entry(bytes(damaged)), entry(config(2))]
            if schema.why_bad(between[1]):
                with pytest.raises((NotInItsPlace, BadAvro)):
                    values(schema, between, "fastavro")
            else:
                assert values(schema, between, "fastavro")[::2] == values(schema, between[::2], "fastavro")
