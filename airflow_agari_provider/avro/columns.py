"""From an Avro schema to table columns: what kind of column each field becomes, independent of SQL."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.exceptions import UnimportableObject, cut

Kind = Literal[
    "null", "boolean", "integer", "long", "float", "double", "bytes", "text", "decimal", "uuid",
    "date", "time", "instant", "local_time", "json",
]  # fmt: skip

Origin = Literal["object_url", "row_number", "load_run"]
BytesInJson = Literal["base64", "hex"]

_PRIMITIVES: dict[str, Kind] = {
    "null": "null", "boolean": "boolean", "int": "integer", "long": "long", "float": "float", "double": "double",
    "bytes": "bytes", "string": "text", "fixed": "bytes", "enum": "text",
    "record": "json", "error": "json", "array": "json", "map": "json",
}  # fmt: skip
# By (type, logical type). The nanosecond timestamps stay a number: no database here keeps nanoseconds. A duration stays
# its 12 bytes. Any other pair becomes its plain type, as the specification says for unknown logical types.
_LOGICAL: dict[tuple[str, str], Kind] = {
    ("bytes", "decimal"): "decimal",
    ("fixed", "decimal"): "decimal",
    ("string", "uuid"): "uuid",
    ("fixed", "uuid"): "uuid",
    ("int", "date"): "date",
    ("int", "time-millis"): "time",
    ("long", "time-micros"): "time",
    ("long", "timestamp-millis"): "instant",
    ("long", "timestamp-micros"): "instant",
    ("long", "local-timestamp-millis"): "local_time",
    ("long", "local-timestamp-micros"): "local_time",
}
UUID_BYTES = 16
VALUE = "value"  # field of a file whose schema is not a record


class UnsupportedAvroType(UnimportableObject):
    """
    A field whose values the database cannot hold, or could hold only rounded or cut off.

    :param column: the field's column.
    :param problem: why the database cannot hold the values, as a clause.
    """

    def __init__(self, column: str, problem: str) -> None:
        super().__init__(column, problem)
        self.column = column
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"Column {self.column!r}: {self.problem}. Nothing was loaded; leave the field out with columns=, "
            "or create the table yourself with a type that holds the values."
        )


class MissingFields(UnimportableObject):
    """
    ``columns`` names fields that the file's schema does not have.

    :param missing: the names of these fields.
    :param available: the names of the fields that the schema has.
    """

    def __init__(self, missing: Sequence[str], available: Sequence[str]) -> None:
        super().__init__(list(missing), list(available))
        self.missing = list(missing)
        self.available = list(available)

    def __str__(self) -> str:
        missing, available = (cut(", ".join(map(repr, names)), 300) for names in (self.missing, self.available))
        return (
            f"The file has no field {missing}; it has {available}. "
            "Nothing was loaded; correct columns=, or give the field a default in reader_schema."
        )


@dataclass(frozen=True)
class Column:
    """
    A column that holds every value of an Avro field without loss.

    :param name: name of the column in the table.
    :param field: name of the field in the Avro record; None if the file's values are not records.
    :param length: bytes of a fixed, characters of the longest symbol of an enum; None: no limit.
    :param precision: of a decimal, its digits, of which ``scale`` are after the point; of a time, the digits after the
        point of the seconds, where 0 means unknown.
    :param bytes_in_json: how bytes inside of a JSON column are written.
    :param origin: what of a row's origin the column tells; None: it has the value of a field.
    :param inside: names of the fields, each within the record before it, that lead from ``field`` to the value.
    """

    name: str
    field: str | None
    kind: Kind
    nullable: bool = True
    length: int | None = None
    precision: int = 0
    scale: int = 0
    bytes_in_json: BytesInJson = "base64"
    inside: tuple[str, ...] = ()
    origin: Origin | None = None


def columns_of(
    schema: AvroSchema,
    wanted: Mapping[str, str] | Sequence[str] | None = None,
    bytes_in_json: BytesInJson = "base64",
) -> tuple[Column, ...]:
    """
    Return the columns for the records of a schema. A schema that is not a record gives one column, of the field
    ``value``.

    ``["null", T]`` becomes a nullable ``T``. Records, arrays, maps and unions of several types become JSON.

    :param wanted: the fields to load, or a mapping from field to column; None loads all fields under their own names.
        ``geo.city`` is a field within the record ``geo``, and ``geo.*`` stands for each of its fields.
    :raises MissingFields: ``wanted`` names fields that the schema does not have.
    :raises UnsupportedAvroType: the record has no fields.
    """
    fields = _fields(schema, schema.definition)
    if fields is None:
        names = dict(_names([VALUE], wanted))
        columns = [_column(name, None, schema, schema.definition) for name in names.values()]
    else:
        names = dict(_names(_known(schema, fields, wanted), wanted, set(fields)))
        columns = [
            _column_at(name, path if path in fields else path.split("."), schema) for path, name in names.items()
        ]
    if not names:
        raise UnsupportedAvroType("", "the record has no fields, so there is nothing to put into a table")
    return tuple(
        replace(column, bytes_in_json=bytes_in_json) if column.kind == "json" else column for column in columns
    )


def _fields(schema: AvroSchema, kind: Any) -> dict[str, Any] | None:
    """Return the types of a record's fields, also of a nullable record; None for other types."""
    kind = schema.resolved(kind)
    if isinstance(kind, list):
        branches = [branch for branch in kind if branch != "null"]
        kind = schema.resolved(branches[0]) if len(branches) == 1 else None
    if not (isinstance(kind, dict) and kind["type"] in ("record", "error")):
        return None
    return {field["name"]: field["type"] for field in kind["fields"]}


def _known(schema: AvroSchema, fields: Mapping[str, Any], wanted: Any) -> list[str]:
    """Return the names of all fields, and those within records that are wanted, or that may have been meant."""
    known = list(fields)
    for path in wanted or ():
        *outer, _ = path.split(".")
        kinds: Mapping[str, Any] | None = fields
        for name in outer:
            kinds = _fields(schema, kinds[name]) if kinds and name in kinds else None
        if outer and kinds:
            known += [".".join([*outer, name]) for name in kinds]
    return list(dict.fromkeys(known))


def _column_at(name: str, path: str | Sequence[str], schema: AvroSchema) -> Column:
    field, *inside = [path] if isinstance(path, str) else path
    kind = schema.resolved(schema.definition)
    nullable = False
    for step in (field, *inside):
        kind = (_fields(schema, kind) or {})[step]
        nullable |= isinstance(schema.resolved(kind), list) and "null" in schema.resolved(kind)
    column = _column(name, field, schema, kind)
    return replace(column, inside=tuple(inside), nullable=column.nullable or nullable) if inside else column


def kind_of_column(schema: AvroSchema, column: Column) -> Any:
    """Return the type of a column's values, as the schema has it."""
    kind = schema.definition
    for step in () if column.field is None else (column.field, *column.inside):
        kind = (_fields(schema, kind) or {})[step]
    return kind


def _names(
    fields: Sequence[str], wanted: Mapping[str, str] | Sequence[str] | None, own: Container[str] = ()
) -> Iterator[tuple[str, str]]:
    """
    Yield the names of fields, and those of their columns.

    :param own: names of fields that are within no other; a name may have a dot.
    """
    if wanted is None:
        wanted = fields
    names = dict(
        wanted
        if isinstance(wanted, Mapping)
        else {path: path if path in own else path.rpartition(".")[2] for path in wanted}
    )
    for path in [path for path in names if path.endswith(".*") and path not in fields]:
        name, outer = names.pop(path), path[:-1]
        inner = [field for field in fields if field.startswith(outer) and "." not in field[len(outer) :]]
        names |= {field: name.replace("*", field[len(outer) :]) for field in inner} or {path: name}
    if missing := [field for field in names if field not in fields]:
        raise MissingFields(missing, fields)
    yield from names.items()


def _column(name: str, field: str | None, schema: AvroSchema, kind: Any) -> Column:
    kind = schema.resolved(kind)
    if isinstance(kind, list):
        branches = [branch for branch in kind if branch != "null"]
        if len(branches) > 1:
            return Column(name, field, "json", "null" in kind)
        inner = _column(name, field, schema, branches[0] if branches else "null")
        return inner if "null" not in kind else Column(**vars(inner) | {"nullable": True})
    meant = kind_of(kind)
    if isinstance(kind, str):
        return Column(name, field, meant, kind == "null")
    if meant == "decimal":
        return Column(name, field, meant, False, None, kind["precision"], kind.get("scale", 0))
    if meant in ("time", "instant", "local_time"):
        return Column(name, field, meant, False, precision=3 if kind["logicalType"].endswith("-millis") else 6)
    length = kind.get("size") or max(map(len, kind.get("symbols", [])), default=None)
    return Column(name, field, meant, False, length)


def kind_of(kind: Any) -> Kind:
    """
    Return the kind of column that an Avro type becomes.

    :param kind: a type that is neither a union nor a reference to a named type.
    """
    return _PRIMITIVES[kind] if isinstance(kind, str) else logical_kind(kind) or _PRIMITIVES[kind["type"]]


def logical_kind(kind: Any) -> Kind | None:
    """Return what the logical type makes of a type; None if it has no logical type, or one without a meaning here."""
    if isinstance(kind, str) or (kind.get("logicalType") == "uuid" and kind.get("size", UUID_BYTES) != UUID_BYTES):
        return None
    return _LOGICAL.get((kind["type"], kind.get("logicalType", "")))
