"""Arrow arrays as texts and lists for databases that take no arrays, a column at a time."""

from __future__ import annotations

from binascii import hexlify
from typing import Any

from airflow_agari_provider.avro.arrow.values import content, python_values
from airflow_agari_provider.avro.columns import Kind

TEXT_KINDS: tuple[Kind, ...] = ("decimal", "uuid", "date", "time", "instant", "local_time", "json", "text", "null")


def text_array(array: Any, kind: Kind, between: str = "T") -> Any:
    """
    Return the values of one of :data:`TEXT_KINDS` as an array of texts: times in ISO 8601, in microseconds and without
    a zone.

    :param between: what stands between date and time.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "uuid":
        digits = hex_array(array)
        parts = (pc.utf8_slice_codeunits(digits, *part) for part in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
        return pc.binary_join_element_wise(*parts, "-")
    if kind in ("instant", "local_time"):
        # A moment with a zone would need a database of time zones.
        texts = pc.cast(array.cast(pa.timestamp("us", array.type.tz)).view(pa.timestamp("us")), "string")
        return texts if between == " " else pc.utf8_replace_slice(texts, 10, 11, between)
    return pc.cast(array, "string")


def hex_array(array: Any) -> Any:
    """Return bytes as their hexadecimal digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = array.cast(pa.binary())  # a fixed size becomes any
    if not len(array):
        return array.cast("string")
    offsets = pa.Array.from_buffers(pa.int32(), len(array) + 1, [None, array.buffers()[1]], offset=array.offset)
    return pa.StringArray.from_buffers(
        len(array),
        pc.multiply(pc.subtract(offsets, offsets[0]), pa.scalar(2, "int32")).buffers()[1],
        pa.py_buffer(hexlify(content(array))),
        array.is_valid().buffers()[1] if array.null_count else None,
    )


def listed(array: Any, kind: Kind) -> list[Any]:
    """Return the values as :func:`python_values` does, but JSON as its text."""
    if kind != "json":
        return python_values(array, kind)
    texts: list[str | None] = array.to_pylist()
    return texts
