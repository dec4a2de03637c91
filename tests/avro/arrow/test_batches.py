from __future__ import annotations

import io
from uuid import UUID

import pytest

from airflow_agari_provider.avro.arrow.batches import arrow_batch, missing_modules, why_missing
from airflow_agari_provider.avro.blocks import ContainerFile, zigzag
from airflow_agari_provider.avro.columns import Column, columns_of
from airflow_agari_provider.avro.decoders import DecoderChoice
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.exceptions import BadAvro
from tests.avro.arrow.decoding import batches
from tests.avro.container_files import SYNC, written
from tests.avro.sample_schemas import SCHEMA

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")


@pytest.mark.parametrize("decoder", ["arrow", "fastavro"])
def test_more_blocks_than_a_group_takes_come_in_their_order(decoder):
    data = written(SCHEMA, [{"id": number, "text": "x"} for number in range(600)], sync_interval=1)
    found = batches(decoder, data)
    assert [batch.rows for batch in found] == [256, 256, 88]
    assert [value for batch in found for value in batch.columns[0]] == list(range(600))


@pytest.mark.parametrize("ending", ["end", "error", "closed"])
def test_arrow_has_its_own_memory_again_after_a_file(ending):
    import pyarrow as pa

    before = pa.default_memory_pool().backend_name
    data = written(SCHEMA, [{"id": number, "text": "x"} for number in range(10)])
    file = ContainerFile(io.BytesIO(data[:-1] if ending == "error" else data), "s3://b/k")
    writer = parse_writer_schema(file.schema, file.source)
    decoding = DecoderChoice("arrow").batches(file, writer, None, columns_of(writer), None)
    try:
        for _ in decoding:
            assert pa.default_memory_pool().backend_name == "system"
            if ending == "closed":
                break
    except BadAvro:
        assert ending == "error"
    decoding.close()
    assert pa.default_memory_pool().backend_name == before != "system"


def test_a_group_of_blocks_limits_records_that_take_no_bytes(monkeypatch):
    monkeypatch.setattr("airflow_agari_provider.avro.arrow.fastavro_arrays.GROUP_BYTES", 1000)
    monkeypatch.setattr("airflow_agari_provider.avro.arrow.batches.FIRST_BYTES", 300)
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "null"}]}
    data = written(schema, []) + (zigzag(400) + zigzag(0) + SYNC) * 5
    assert [batch.rows for batch in batches("fastavro", data)] == [400, 1200, 400]  # the first is small


def test_a_group_with_a_value_that_arrow_would_not_hold_as_fastavro_does_is_left_to_fastavro(caplog):
    data = written("string", ["a\0b"])
    with caplog.at_level("INFO"):
        (batch,) = batches("arrow", data)
    assert batch == Batch(1, (["a\0b"],))
    offset = len(written("string", []))
    assert f"s3://b/k, byte {offset}: fastavro decodes this group of blocks without Arrow: a text has" in caplog.text


def test_the_columns_of_a_batch_are_python_objects():
    import pyarrow as pa

    arrays = (pa.array([bytes(15) + b"\x05", None], pa.binary(16)), pa.array(['{"a":1.0}', None], "string"))
    batch = arrow_batch(2, (Column("u", "u", "uuid"), Column("j", "j", "json")), arrays)
    assert len(batch.columns) == 2
    assert [list(values) for values in batch.columns] == [[UUID(int=5), None], [{"a": 1.0}, None]]


def test_no_module_of_the_installed_extra_is_missing():
    assert missing_modules() == []


@pytest.mark.parametrize(
    ("missing", "machine", "system", "no_wheels"),
    [
        (["pgpq"], "aarch64", "linux", True),
        (["pgpq"], "x86_64", "linux", False),
        (["pgpq"], "arm64", "darwin", False),
        (["datafusion", "pgpq", "pyarrow"], "aarch64", "linux", False),
    ],
)
def test_the_log_says_why_arrow_is_not_used(monkeypatch, missing, machine, system, no_wheels):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("sys.platform", system)
    text = why_missing(missing)
    assert text.startswith(f"{', '.join(missing)} is not installed; it comes with the extra [arrow]")
    assert ("no wheels" in text) is no_wheels
