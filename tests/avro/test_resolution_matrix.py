"""
Random pairs of a file's schema and a reader's schema, made together with the value that the second makes of the bytes.

Nothing here asks a decoder what is right: each change of a schema comes with what Avro 1.12, "Schema Resolution", says
about it. The bytes are encoded here too, so that unions have the branch that is meant.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.reader_defaults import parsed_reader
from airflow_agari_provider.avro.records import decode
from airflow_agari_provider.avro.resolution import require_resolvable
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.avro.union_branches import with_branches
from tests.avro.container_files import by_hand

PAIRS = int(os.environ.get("TORTURE_PAIRS", "1500"))  # make torture-import tries more
# Type in the file, type of the reader, and a value: (bytes, what it is).
Make = Callable[[], tuple[bytes, Any]]
Pair = tuple[Any, Any, Make]


def zigzag(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])


def of_text(text: str) -> bytes:
    return zigzag(len(text.encode())) + text.encode()


def of_bytes(data: bytes) -> bytes:
    return zigzag(len(data)) + data


def as_float(number: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def logical(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": name, **more}


def moment(micros: int, zone: Any = UTC) -> datetime:
    return datetime(1970, 1, 1, tzinfo=zone) + timedelta(microseconds=micros)


def clock(micros: int) -> time:
    return (datetime.min + timedelta(microseconds=micros)).time()


DEC_4_2, DEC_9_4 = (logical("bytes", "decimal", precision=p, scale=s) for p, s in ((4, 2), (9, 4)))
MILLIS, MICROS = (logical("long", f"timestamp-{unit}") for unit in ("millis", "micros"))
LOCAL_MILLIS, LOCAL_MICROS = (logical("long", f"local-timestamp-{unit}") for unit in ("millis", "micros"))
TIME_MILLIS, TIME_MICROS = logical("int", "time-millis"), logical("long", "time-micros")
DATE, ID = logical("int", "date"), logical("string", "uuid")


def takes_bytes(kind: Any) -> bool:
    fields = kind.get("fields") if isinstance(kind, dict) else None
    return kind != "null" if fields is None else any(takes_bytes(field["type"]) for field in fields)


class Pairs:
    """Makes pairs from a seed."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.numbers = count(1)

    def any(self, depth: int) -> Pair:
        makers = [self.number, self.text, self.logical, self.enum, self.fixed, self.empty]
        if depth > 0:
            makers += [self.array, self.map, self.union, self.union, self.record]
        return self.choose.choice(makers)(depth - 1)  # type: ignore[operator]

    def number(self, depth: int) -> Pair:
        written = self.choose.choice(["boolean", "int", "long", "float", "double"])
        if written == "boolean":
            return written, written, lambda: self.choose.choice([(b"\0", False), (b"\1", True)])
        larger = {"int": ["int", "long", "float", "double"], "long": ["long", "float", "double"]}
        wanted = self.choose.choice(larger.get(written, ["double", written]))

        def make() -> tuple[bytes, Any]:
            if written in ("int", "long"):
                number = self.choose.choice(
                    [0, -1, 16_777_217, -(2**31), 2**31 - 1, 2**53 + 1][: 5 + (written == "long")]
                )
                value = number if wanted in ("int", "long") else float(number)
                return zigzag(number), as_float(value) if wanted == "float" else value
            number = as_float(self.choose.random())
            return struct.pack("<f" if written == "float" else "<d", number), number

        return written, wanted, make

    def text(self, depth: int) -> Pair:
        written, wanted = (self.choose.choice(["string", "bytes"]) for _ in "12")
        text = self.choose.choice(["", "ab", "ü😀"])
        return written, wanted, lambda: (of_text(text), text if wanted == "string" else text.encode())

    def logical(self, depth: int) -> Pair:
        day, day_micros = 86_400_000, 86_400_000_000
        written, wanted, data, value = self.choose.choice(
            [
                ("int", DATE, zigzag(-1), date(1969, 12, 31)),
                (DATE, "long", zigzag(-1), -1),
                (DATE, DATE, zigzag(59), date(1970, 3, 1)),
                ("int", TIME_MILLIS, zigzag(day - 1), clock(day_micros - 1000)),
                ("int", TIME_MICROS, zigzag(7), clock(7)),
                (TIME_MILLIS, TIME_MICROS, zigzag(7), clock(7000)),
                ("int", MILLIS, zigzag(-7), moment(-7000)),
                ("long", MICROS, zigzag(-7), moment(-7)),
                (MILLIS, MICROS, zigzag(-7), moment(-7000)),
                (MICROS, MILLIS, zigzag(-7000), moment(-7000)),
                (MICROS, LOCAL_MILLIS, zigzag(-7000), moment(-7000, None)),
                (LOCAL_MILLIS, LOCAL_MICROS, zigzag(2), moment(2000, None)),
                (MILLIS, "double", zigzag(2), 2.0),
                (MILLIS, "float", zigzag(16_777_217), 16_777_216.0),
                ("bytes", DEC_4_2, of_bytes(b"\xff"), Decimal("-0.01")),
                (DEC_4_2, DEC_9_4, of_bytes(b"\x04\xd2"), Decimal("12.3400")),
                (DEC_4_2, "bytes", of_bytes(b"\x04\xd2"), b"\x04\xd2"),
                ("string", ID, of_text(str(UUID(int=5))), UUID(int=5)),
                (ID, "bytes", of_text(str(UUID(int=5))), str(UUID(int=5)).encode()),
                (logical("string", "made-up"), "string", of_text("x"), "x"),
                ("int", logical("int", "made-up"), zigzag(5), 5),
            ]
        )
        return written, wanted, lambda: (data, value)

    def name(self) -> str:
        return f"{self.choose.choice(['', 'a.', 'a.b.'])}N{next(self.numbers)}"

    def named(self, kind: str) -> tuple[Any, Any]:
        """A named type of the file, and the reader's: of the same name, of another namespace, or with an alias."""
        name = self.name()
        alias = [name, name.rpartition(".")[2]] if self.choose.random() < 0.3 else []
        wanted = self.name() if alias else f"z.{name.rpartition('.')[2]}" if self.choose.random() < 0.3 else name
        return {"type": kind, "name": name}, {"type": kind, "name": wanted} | ({"aliases": alias} if alias else {})

    def enum(self, depth: int) -> Pair:
        written, wanted = self.named("enum")
        symbols = ["A", "B", "C"]
        kept = self.choose.sample(symbols, self.choose.choice([2, 3, 3]))
        written["symbols"], wanted["symbols"] = symbols, [*kept, "Z"]
        if len(kept) < 3 or self.choose.random() < 0.5:
            wanted["default"] = "Z"

        def make() -> tuple[bytes, Any]:
            number = self.choose.randrange(3)
            return zigzag(number), symbols[number] if symbols[number] in kept else "Z"

        return written, wanted, make

    def fixed(self, depth: int) -> Pair:
        written, wanted = self.named("fixed")
        written["size"] = wanted["size"] = size = self.choose.choice([1, 3])
        return written, wanted, lambda: ((data := self.choose.randbytes(size)), data)

    def empty(self, depth: int) -> Pair:
        return "null", "null", lambda: (b"", None)

    def array(self, depth: int) -> Pair:
        written, wanted, make = self.solid(depth)

        def items() -> tuple[bytes, Any]:
            made = [make() for _ in range(self.choose.randrange(3))]
            start = zigzag(len(made)) if made else b""
            return start + b"".join(data for data, _ in made) + b"\0", [value for _, value in made]

        return {"type": "array", "items": written}, {"type": "array", "items": wanted}, items

    def map(self, depth: int) -> Pair:
        written, wanted, make = self.any(depth)

        def entries() -> tuple[bytes, Any]:
            data, value = make()
            return zigzag(1) + of_text("k") + data + b"\0", {"k": value}

        return {"type": "map", "values": written}, {"type": "map", "values": wanted}, entries

    def solid(self, depth: int) -> Pair:
        """Values that take bytes: arrays of others are refused."""
        while not takes_bytes((pair := self.any(depth))[0]):
            pass
        return pair

    def union(self, depth: int) -> Pair:
        """A union in the file, at the reader, or both."""
        while isinstance((pair := self.any(depth))[0], list) or isinstance(pair[1], list) or pair[0] == "null":
            pass
        written, wanted, make = pair
        in_file, at_reader = self.choose.choice([(True, True), (True, False), (False, True)])
        position = self.choose.randrange(2)
        union: Any = [{"type": "fixed", "name": self.name(), "size": 77}, "null"]
        union.insert(position, written)
        reader: Any = ["null", {"type": "enum", "name": self.name(), "symbols": ["NO"]}]
        reader.insert(self.choose.randrange(3), wanted)

        def value() -> tuple[bytes, Any]:
            if in_file and at_reader and self.choose.random() < 0.3:
                return zigzag(2), None
            data, found = make()
            return (zigzag(position) if in_file else b"") + data, found

        return union if in_file else written, reader if at_reader else wanted, value

    def record(self, depth: int) -> Pair:
        written, wanted = self.named("record")
        written["fields"], wanted["fields"] = [], []
        makers: list[tuple[str | None, Make]] = []
        defaults: dict[str, Any] = {}
        for number in range(self.choose.randrange(1, 5)):
            kind, reader, make = self.any(depth)
            what, name = self.choose.choice(["same", "same", "alias", "both", "dropped", "added"]), f"f{number}"
            if what == "added":
                default, value = self.choose.choice(
                    [
                        ("int", 7),
                        ("double", 0.5),
                        (["null", "string"], None),
                        ({"type": "array", "items": "int"}, [1]),
                        ({"type": "map", "values": "long"}, {"k": 2}),
                    ]
                )
                wanted["fields"].append({"name": name, "type": default, "default": value})
                defaults[name] = value
                continue
            in_file = f"old_{name}" if what == "alias" else name
            written["fields"].append({"name": in_file, "type": kind})
            makers.append((None if what == "dropped" else name, make))
            if what == "both":  # while a field gets a new name, files have both: the name counts
                written["fields"].insert(
                    len(written["fields"]) - self.choose.randrange(2), {"name": f"old_{name}", "type": "boolean"}
                )
                at = len(written["fields"]) - (1 if written["fields"][-1]["name"] == f"old_{name}" else 2)
                makers.insert(at, (None, lambda: (b"\1", True)))
            if what != "dropped":
                aliases = {"aliases": [f"old_{name}", "never"]} if what in ("alias", "both") else {}
                wanted["fields"].append({"name": name, "type": reader, **aliases})
        self.choose.shuffle(wanted["fields"])
        if not wanted["fields"]:
            wanted["fields"].append({"name": "more", "type": "int", "default": 1})
            defaults["more"] = 1

        def make_record() -> tuple[bytes, Any]:
            made = [(name, *make()) for name, make in makers]
            return b"".join(data for _, data, _ in made), defaults | {name: value for name, _, value in made if name}

        return written, wanted, make_record


def found(written: Any, wanted: Any, payload: bytes, rows: int) -> list[Any]:
    file = ContainerFile(io.BytesIO(by_hand(written, (rows, payload))), "f")
    writer, reader = parse_writer_schema(file.schema, "f"), parsed_reader(wanted)
    require_resolvable(writer, reader, "f")
    columns = columns_of(reader)
    (batch,) = decode(file, *with_branches(writer, reader, "plain"), columns)
    return [
        dict(zip((column.name for column in columns), row, strict=True)) for row in zip(*batch.columns, strict=True)
    ]


@pytest.mark.parametrize("first", range(0, PAIRS, 500))
def test_a_value_is_what_its_pair_of_schemas_means(first):
    for seed in range(first, first + 500):
        written, wanted, make = Pairs(seed).record(3)
        if not written["fields"]:
            continue
        made = [make() for _ in range(2)]
        try:
            assert found(written, wanted, b"".join(data for data, _ in made), 2) == [value for _, value in made]
        except BaseException as error:
            error.add_note(f"seed {seed}\n{json.dumps(written)}\n{json.dumps(wanted)}")
            raise
