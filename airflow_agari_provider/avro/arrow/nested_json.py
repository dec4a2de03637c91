"""
Convert Arrow arrays of nested values to JSON text.

Text stays in pieces as long as possible, and literals are joined before arrays are. Each time that Arrow joins arrays
to a new one, this costs as much as everything else that is done with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from airflow_agari_provider.avro.arrow.values import Unfit, content, only_branch, python_values, typed
from airflow_agari_provider.avro.columns import BytesInJson, Kind, kind_of
from airflow_agari_provider.avro.json_text import json_texts
from airflow_agari_provider.avro.schemas import AvroSchema

# Literals, and text arrays of equal length. Side by side they are the text of each value; if one is null, so is the
# value.
Pieces = list[Any]
# Numbers that Python's encoder writes with an exponent.
LARGE_NUMBER, SMALL_NUMBER = 1e16, 1e-4
ESCAPED = b'"\\' + bytes(range(0x20))  # bytes that JSON writes with a backslash


def json_text(form: BytesInJson, schema: AvroSchema, kind: Any, array: Any) -> Any:
    """
    Return the JSON text of each value, and null for each null.

    It is the text of :func:`json_texts`.

    :param form: how bytes are written.
    :param kind: type of the values, as the schema has it.
    :param array: the values as Arrow decodes them by the type's :func:`plain_schema`.
    :raises Unfit: a value is beyond what its type may hold.
    """
    return _text(_pieces(form, schema, kind, array))


def _pieces(form: BytesInJson, schema: AvroSchema, kind: Any, array: Any) -> Pieces:
    import pyarrow.compute as pc

    kind = only_branch(schema, kind)
    name = kind if isinstance(kind, str) else kind["type"]
    if name in ("record", "error"):
        return _record_pieces(form, schema, kind, array)
    if name == "array":
        return _list_pieces("[", array, _member_pieces(form, schema, kind["items"], array.values), "]")
    if name == "map":
        _require_own_keys(array)
        members = ['"', _escaped(array.keys), '":', *_member_pieces(form, schema, kind["values"], array.items)]
        return _list_pieces("{", array, _literals_joined(members), "}")
    values = typed(schema, kind, array)
    meant = kind_of(kind)
    if meant in ("boolean", "integer", "long"):
        return [pc.cast(values, "string")]
    if meant in ("float", "double"):
        return [_number_text(values)]
    if meant == "text":
        return ['"', _escaped(values), '"']
    if meant == "decimal":
        return ['"', pc.cast(values, "string"), '"']
    return [_python_text(form, values, meant)]


def _require_own_keys(array: Any) -> None:
    """:raises Unfit: a map has a key twice, of which Python's keeps one value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
    codes = array.keys.slice(first, last - first).dictionary_encode()
    rows = pc.list_parent_indices(pa.ListArray.from_arrays(array.offsets, array.keys))  # a map would end the process
    keys = pc.add(pc.multiply(pc.cast(rows, "int64"), len(codes.dictionary) + 1), pc.cast(codes.indices, "int64"))
    if len(pc.unique(keys)) < len(keys):
        raise Unfit("a map has a key twice")


def _record_pieces(form: BytesInJson, schema: AvroSchema, kind: Any, array: Any) -> Pieces:
    import pyarrow.compute as pc

    pieces: Pieces = []
    for position, field in enumerate(kind["fields"]):
        key = ("," if position else "{") + json.dumps(field["name"], ensure_ascii=False) + ":"
        pieces += [key, *_member_pieces(form, schema, field["type"], array.field(position))]
    pieces = _literals_joined([*pieces, "}"])
    return [pc.if_else(pc.is_valid(array), _text(pieces), None)] if array.null_count else pieces


def _member_pieces(form: BytesInJson, schema: AvroSchema, kind: Any, array: Any) -> Pieces:
    """Return the pieces of members; a null member has the text ``null``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if schema.resolved(kind) == "null":
        return [pa.repeat("null", len(array))]
    pieces = _pieces(form, schema, kind, array)
    if any(piece.null_count for piece in pieces if not isinstance(piece, str)):
        return [pc.fill_null(_text(pieces), "null")]
    return pieces


def _list_pieces(opening: str, array: Any, members: Pieces, closing: str) -> Pieces:
    """Return the pieces of lists or maps; ``members`` are those of the array's whole buffer, without nulls."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # The literals around each member are also those between two members. An empty list has no such literals.
    before = members[0] if isinstance(members[0], str) else ""
    after = members[-1] if isinstance(members[-1], str) else ""
    texts = _text(members[bool(before) : len(members) - bool(after)])
    mask = pc.is_null(array) if array.null_count else None
    lists = pa.ListArray.from_arrays(array.offsets, texts, mask=mask)
    pieces = [opening + before, pc.binary_join(lists, after + "," + before), after + closing]
    empty = pc.equal(pc.list_value_length(lists), 0)
    if (before or after) and pc.any(empty).as_py():
        return [pc.if_else(empty, opening + closing, _text(pieces))]
    return pieces


def _literals_joined(pieces: Iterable[Any]) -> Pieces:
    joined: Pieces = []
    for piece in pieces:
        if joined and isinstance(piece, str) and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _text(pieces: Pieces) -> Any:
    """Join the pieces to one array; at least one of them has to be an array."""
    import pyarrow.compute as pc

    if len(pieces) == 1:
        return pieces[0]
    if len(pieces) == 3 and isinstance(pieces[1], str):
        first, between, last = pieces
        return pc.binary_join_element_wise(first, last, between)
    return pc.binary_join_element_wise(*pieces, "")


def _escaped(array: Any) -> Any:
    import pyarrow as pa

    data = content(array)
    if len(data.translate(None, ESCAPED)) == len(data):
        return array
    if 0 in data:
        raise Unfit("a text has a zero byte")
    return pa.array(
        [None if value is None else json.dumps(value, ensure_ascii=False)[1:-1] for value in array.to_pylist()],
        "string",
    )


def _number_text(array: Any) -> Any:
    """
    Return the numbers as text, with ``null`` for each null.

    The text is that of Python's encoder: 1.0 is not 1, and 1e+16 is not 1e16.
    """
    import msgspec
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pc.cast(array, "float64")
    if not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise Unfit("a number is NaN or infinite")
    if not len(numbers):
        return pc.cast(numbers, "string")
    sizes = pc.abs(numbers)
    odd = pc.or_(pc.greater_equal(sizes, LARGE_NUMBER), pc.and_(pc.less(sizes, SMALL_NUMBER), pc.greater(sizes, 0)))
    if pc.any(odd).as_py():  # msgspec writes 1e-5, and Python 1e-05
        return pa.array([None if value is None else repr(value) for value in numbers.to_pylist()], "string").fill_null(
            "null"
        )
    written = msgspec.json.encode(numbers.to_pylist())[1:-1]  # a third faster than Arrow's cast, which has no .0
    return pc.split_pattern(pa.array([written], "string"), ",").values


def _python_text(form: BytesInJson, array: Any, meant: Kind) -> Any:
    """Convert by way of Python objects, for kinds that are rare inside of other values."""
    import pyarrow as pa

    return pa.array(json_texts(python_values(array, meant), bytes_form=form), "string")
