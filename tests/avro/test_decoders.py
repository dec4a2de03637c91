from __future__ import annotations

import io

import pytest

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.decoders import ArrowUnusable, DecoderChoice
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema
from tests.avro.arrow.decoding import batches
from tests.avro.container_files import written
from tests.avro.sample_schemas import SCHEMA, record_of

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")

NODE = {"type": "record", "name": "node", "fields": [{"name": "next", "type": ["null", "node"]}]}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        pytest.param(record_of(["int", "string"]), "a union of 2 types", id="union"),
        pytest.param(NODE, "records of their own type", id="recursive"),
        pytest.param(
            record_of({"type": "bytes", "logicalType": "decimal", "precision": 39}), "39 digits", id="long decimal"
        ),
    ],
)
def test_what_arrow_would_not_hold_goes_to_fastavro(schema, problem, caplog):
    data = written(schema, [])
    with caplog.at_level("INFO"):
        assert batches("auto", data) == []
    assert problem in caplog.text
    with pytest.raises(ArrowUnusable, match=problem):
        batches("arrow", data)


def test_why_a_database_or_a_reader_schema_takes_fastavro_is_told_once(caplog):
    data = written(SCHEMA, [{"id": 1, "text": "a"}])
    choice = DecoderChoice("auto")
    with caplog.at_level("INFO"):
        for _ in range(3):
            file = ContainerFile(io.BytesIO(data))
            writer = parse_writer_schema(file.schema, "k")
            assert len(list(choice.batches(file, writer, None, columns_of(writer), "it is no PostgreSQL"))) == 1
    assert caplog.text.count("it is no PostgreSQL") == 1
    file = ContainerFile(io.BytesIO(data))
    with pytest.raises(ArrowUnusable, match="reader_schema"):
        DecoderChoice("arrow").batches(file, writer, parse_reader_schema(SCHEMA), columns_of(writer), None)
