from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from airflow_agari_provider.avro.json_text import json_texts, plain_in_json
from airflow_agari_provider.avro.schemas import parse_reader_schema
from tests.avro.sample_schemas import record_of

both_encoders = pytest.mark.parametrize("plain", [False, True], ids=["Python", "msgspec"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(b"a\xff\0", '"Yf8A"', id="bytes"),
        pytest.param(date(2016, 4, 28), '"2016-04-28"', id="date"),
        pytest.param(time(5, 1, 2, 3000), '"05:01:02.003000"', id="time"),
        pytest.param(datetime(2016, 4, 28, 5, tzinfo=UTC), '"2016-04-28T05:00:00+00:00"', id="instant"),
        pytest.param(datetime(2016, 4, 28, 5), '"2016-04-28T05:00:00"', id="local time"),
        pytest.param(Decimal("-12.340"), '"-12.340"', id="decimal"),
        pytest.param(UUID(int=5), '"00000000-0000-0000-0000-000000000005"', id="uuid"),
        pytest.param({"a": [1, 1.0, None, True]}, '{"a":[1,1.0,null,true]}', id="nested"),
    ],
)
def test_each_type_has_its_form_in_json(value, text):
    assert json_texts([[value]]) == [f"[{text}]"]


def test_bytes_may_be_in_hex():
    assert json_texts([[b"a\xff\0"]], bytes_form="hex") == ['["61ff00"]']


@both_encoders
def test_none_stays_none_and_the_others_keep_their_places(plain):
    assert json_texts([None, {"a": None}, None, ["é"]], plain) == [None, '{"a":null}', None, '["é"]']
    assert json_texts([None], plain) == [None]


@both_encoders
def test_a_value_that_contains_the_mark_between_values_keeps_its_text(plain):
    values = [["x", "agari-2016-04-28-next-value", "y"], ["z"]]
    assert json_texts(values, plain) == ['["x","agari-2016-04-28-next-value","y"]', '["z"]']


@both_encoders
@pytest.mark.parametrize("number", [float("nan"), float("inf")], ids=str)
def test_a_number_that_json_does_not_have_is_refused(plain, number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_texts([{"a": 1.0}, {"a": number}], plain)


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        pytest.param("double", True, id="number"),
        pytest.param(["null", "string"], True, id="nullable text"),
        pytest.param("bytes", False, id="bytes"),
        pytest.param({"type": "array", "items": "string"}, True, id="texts"),
        pytest.param({"type": "array", "items": {"type": "int", "logicalType": "date"}}, False, id="dates"),
        pytest.param({"type": "map", "values": record_of(["null", "bytes"])}, False, id="bytes deep inside"),
        pytest.param(record_of({"type": "string", "logicalType": "uuid"}), True, id="record with a uuid"),
    ],
)
def test_only_bytes_and_times_are_not_plain_in_json(kind: Any, plain: bool):
    schema = parse_reader_schema(kind)
    assert plain_in_json(schema, schema.definition) is plain
