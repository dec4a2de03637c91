"""Objects whose content nobody expects, next to sound ones: they harm only themselves."""

from __future__ import annotations

import copy
import io
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from airflow_agari_provider.avro.arrow.decoder import ArrowDecoder
from airflow_agari_provider.avro.arrow.fastavro_arrays import FastavroArrays
from airflow_agari_provider.avro.arrow.schema import NotForArrow
from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.reader_defaults import parsed_reader
from airflow_agari_provider.avro.records import decode
from airflow_agari_provider.avro.resolution import require_resolvable
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.avro.union_branches import with_branches
from airflow_agari_provider.avro_import.errors import ObjectsFailed, ObjectsFailedForNow
from airflow_agari_provider.avro_import.failures import failure_reason
from airflow_agari_provider.exceptions import UnimportableObject
from airflow_agari_provider.s3.objects import objects_at
from tests.avro.container_files import by_hand, written
from tests.avro.sample_schemas import record_of
from tests.avro.scored_messages import messages
from tests.avro_import.importers import failing_for

MUTATED = int(os.environ.get("TORTURE_MUTATED", "2000"))  # schemas, and headers; make torture-import tries more
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}


@pytest.mark.parametrize(
    ("kind", "payload", "value"),
    [
        pytest.param({"type": "int", "logicalType": []}, b"\x0a", 5, id="a logical type that is a list"),
        pytest.param({"type": "int", "logicalType": {"a": 1}}, b"\x0a", 5, id="a logical type that is an object"),
        pytest.param({"type": "string", "logicalType": "date"}, b"\x02a", "a", id="of another type"),
        pytest.param({"type": "int", "fields": [{"name": "v"}]}, b"\x0a", 5, id="fields of an int"),
        pytest.param({"type": "string", "items": 7, "size": "x"}, b"\x02a", "a", id="parts of other types"),
        pytest.param(DECIMAL | {"precision": None}, b"\x02a", b"a", id="no precision"),
        pytest.param(DECIMAL | {"scale": None}, b"\x02a", b"a", id="no scale"),
        pytest.param(DECIMAL | {"scale": True}, b"\x02a", b"a", id="a scale that is true"),
        pytest.param(DECIMAL | {"precision": 4.0}, b"\x02a", b"a", id="a broken precision"),
        pytest.param(DECIMAL | {"precision": 64, "scale": 127}, b"\x02a", b"a", id="a number of Oracle"),
        pytest.param(
            DECIMAL | {"type": "fixed", "name": "f", "size": 1, "precision": 3}, b"a", b"a", id="more digits than bytes"
        ),
        pytest.param({"type": ["null", "int"], "doc": "x"}, b"\x02\x0a", 5, id="a union in braces"),
    ],
)
def test_what_does_not_belong_to_a_type_is_ignored(kind, payload, value, importer, put, rows):
    put("a.avro", by_hand(record_of(kind), (1, payload)))
    importer().import_object("agari", "a.avro")
    (found,) = rows("SELECT v FROM scored")
    assert (bytes(found) if isinstance(value, bytes) else found) == value


def test_an_invalid_decimal_that_is_not_wanted_does_no_harm(importer, put, rows):
    invalid = DECIMAL | {"precision": 64, "scale": 127}
    schema = {"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}, {"name": "v", "type": invalid}]}
    put("a.avro", by_hand(schema, (1, b"\x0a\x02a")))
    importer(columns=["a"]).import_object("agari", "a.avro")
    assert rows("SELECT a FROM scored") == [5]


@pytest.mark.parametrize("decoder", ["auto", "fastavro"])
@pytest.mark.parametrize(("form", "text"), [("base64", "AP8="), ("hex", "00ff")])
def test_bytes_inside_of_other_values_may_have_zero_bytes(form, text, decoder, importer, put, rows):
    inner = {"type": "record", "name": "i", "fields": [{"name": "b", "type": "bytes"}]}
    put("a.avro", written(record_of({"type": "array", "items": inner}), [{"v": [{"b": b"\0\xff"}]}]))
    importer(bytes_in_json=form, decoder=decoder).import_object("agari", "a.avro")
    (found,) = rows("SELECT v FROM scored")
    assert (json.loads(found) if isinstance(found, str) else found) == [{"b": text}]


@pytest.mark.parametrize("decoder", ["auto", "fastavro"])
def test_the_branch_of_a_union_is_kept_where_it_decides(decoder, importer, put, rows):
    kinds = {"clear": ["null", "int", "string"], "alike": ["null", "string", "bytes"]}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    given = [{"clear": 1, "alike": "YQ=="}, {"clear": "1", "alike": b"a"}, {"clear": None, "alike": None}]
    put("a.avro", written({"type": "record", "name": "r", "fields": fields}, given))
    importer(decoder=decoder).import_object("agari", "a.avro")
    found = rows("SELECT clear, alike FROM scored")
    if isinstance(found[0][1], str):  # psycopg gives no text
        found = [tuple(value and json.loads(value) for value in row) for row in found]
    assert found == [(1, {"string": "YQ=="}), ("1", {"bytes": "YQ=="}), (None, None)]


@pytest.mark.parametrize("connect", ["psycopg"], indirect=True)
@pytest.mark.parametrize("settings", [{}, {"table": "own", "schema_change": "add_columns"}], ids=["create", "add"])
def test_a_field_named_like_a_system_column_harms_only_its_object(settings, importer, put, s3, connect, rows):
    odd = {"type": "record", "name": "r", "fields": [{"name": name, "type": "int"} for name in ("hour", "xmin")]}
    put("a.avro", messages(2))
    put("b.avro", by_hand(odd, (1, b"\x02\x04")))
    put("c.avro", messages(2, first=2))
    order = [objects_at(s3, f"s3://agari/{name}.avro")[0] for name in ("bac" if not settings else "abc")]
    with pytest.raises(ObjectsFailed, match="xmin") as failed:
        importer(**settings).import_objects(order)
    assert failed.value.imported == 2
    assert "other names" in why(connect, "b.avro")


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_an_unexpected_failure_is_recorded_with_its_traceback_and_the_other_objects_are_loaded(
    importer, put, s3, connect, rows
):
    for number in range(3):
        put(f"{number}.avro", messages(2, first=number * 2))
    with failing_for(s3, "1.avro"), pytest.raises(ObjectsFailedForNow, match="RuntimeError: no such thing"):
        importer().import_objects(objects_at(s3, "s3://agari/"))
    assert rows() == ["m0", "m1", "m4", "m5"]
    reason = why(connect, "1.avro")
    assert "report it" in reason
    assert "in fail" in reason, "a traceback"
    importer().import_objects(objects_at(s3, "s3://agari/"))
    assert len(rows()) == 6


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_a_window_that_fails_unexpectedly_is_recorded_too(importer, put, s3, connect, rows):
    put("0.avro", messages(2))
    put("1.avro", messages(2, first=2))
    importer().import_objects(objects_at(s3, "s3://agari/"))
    window = importer(mode="replace", replace_where="1 = 1")
    with failing_for(s3, "1.avro"), pytest.raises(Exception, match="RuntimeError: no such thing"):
        window.replace_window(objects_at(s3, "s3://agari/"))
    assert len(rows()) == 4
    assert "Traceback" in why(connect, "1.avro")


def why(connect: Callable[[], Any], key: str) -> str:
    with closing(connect()) as connection:
        return str(failure_reason(connection, "agari", key))


SAMPLE: Any = {
    "type": "record",
    "name": "r",
    "namespace": "a.b",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": None},
        {"name": "price", "type": DECIMAL},
        {"name": "kind", "type": {"type": "enum", "name": "kind", "symbols": ["x", "y"], "default": "x"}},
        {"name": "six", "type": {"type": "fixed", "name": "six", "size": 6, "logicalType": "uuid"}},
        {"name": "list", "type": {"type": "array", "items": ["string", "six"]}},
        {"name": "map", "type": {"type": "map", "values": {"type": "record", "name": "in", "fields": []}}},
        {"name": "again", "type": ["null", "r", "in"], "aliases": ["more"]},
    ],
}
ODD = (
    None, True, -1, 0, 4, 2**70, 1.5, "", "int", "r", "null", "six", "record", "decimal", "date", "uuid", "xmin", "a b",
    "\ud800", "\0", "%s", [], ["null"], ["null", "null"], ["int", "string"], {}, {"type": []},
    {"type": {"type": "int"}}, {"type": "array"}, {"type": "map", "values": "r"},
    {"type": "fixed", "name": "f", "size": -3},
)  # fmt: skip


def mutated(seed: int) -> Any:
    """The sample schema with one to three changes."""
    choose = random.Random(seed)
    schema = copy.deepcopy(SAMPLE)
    for _ in range(choose.randint(1, 3)):
        place, key = choose.choice(list(places(schema)) or [({}, "type")])
        keys = ("type", "name", "fields", "items", "values", "symbols", "size", "logicalType", "precision", "scale")
        change = choose.randrange(4)
        if change == 0 and isinstance(place, dict):
            place[choose.choice(keys)] = copy.deepcopy(choose.choice(ODD))
        elif change == 1:
            del place[key]
        elif change == 2:
            place[key] = copy.deepcopy(choose.choice([part[name] for part, name in places(SAMPLE)]))
        else:
            place[key] = copy.deepcopy(choose.choice(ODD))
    return schema


def places(schema: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(schema) if isinstance(schema, dict) else range(len(schema)) if isinstance(schema, list) else ():
        yield schema, key
        yield from places(schema[key])


@pytest.mark.parametrize("first", range(0, MUTATED, 2_000))
def test_no_schema_raises_an_error_that_is_not_ours(first, dialects):
    for seed in range(first, first + 2_000):
        schema = mutated(seed)
        payload = random.Random(seed).randbytes(40)
        try:
            file = ContainerFile(io.BytesIO(by_hand(schema, (1, payload))), "f")
            writer = parse_writer_schema(file.schema, "f")
            columns = columns_of(writer)
            with suppress(NotForArrow):
                ArrowDecoder(writer, columns)
            FastavroArrays(writer, None, columns)
            for dialect in dialects:
                for column in columns:
                    assert "None" not in dialect.column_type(column, False)
            list(decode(file, writer, None, columns))
        except UnimportableObject as error:
            str(error)
        except BaseException as error:
            error.add_note(json.dumps(schema))
            raise


def test_no_reader_schema_raises_an_error_that_is_not_ours():
    for seed in range(MUTATED // 5):
        schema, choose = mutated(seed), random.Random(seed)
        for place, key in list(places(schema)):
            if key == "type" and "name" in place and choose.random() < 0.3:
                place["default"] = choose.choice(
                    [None, 1, "x", [], {}, True, 1.5, "\u0100", {"k": [1]}, -(2**70), "NaN"]
                )
        file = ContainerFile(io.BytesIO(by_hand(SAMPLE, (1, choose.randbytes(40)))), "f")
        try:
            reader, writer = parsed_reader(schema), parse_writer_schema(file.schema, "f")
            require_resolvable(writer, reader, "f")
            list(decode(file, *with_branches(writer, reader, "auto"), columns_of(reader)))
        except UnimportableObject as error:
            str(error)
        except BaseException as error:
            if isinstance(error, ValueError) and str(error).startswith("reader_schema is not a valid Avro schema"):
                continue
            error.add_note(json.dumps(schema))
            raise


def test_no_header_raises_an_error_that_is_not_ours():
    sound = messages(1)
    for seed in range(MUTATED):
        choose, data = random.Random(seed), bytearray(sound)
        for _ in range(choose.randint(1, 4)):
            data[choose.randrange(len(sound))] = choose.randrange(256)
        try:
            file = ContainerFile(io.BytesIO(bytes(data)), "f")
            columns_of(parse_writer_schema(file.schema, "f"))
        except UnimportableObject as error:
            str(error)


@pytest.fixture
def dialects() -> list[Any]:
    import sqlite3

    from airflow_agari_provider.databases.mysql import MySqlDialect
    from airflow_agari_provider.databases.postgres import PostgresDialect
    from airflow_agari_provider.databases.sqlite import SqliteDialect

    return [SqliteDialect(), PostgresDialect(sqlite3), MySqlDialect(sqlite3)]
