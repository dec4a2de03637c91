"""Arrow arrays as texts and lists for databases that take no arrays, a column at a time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from airflow_agari_provider.avro.arrow.values import python_values
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
        return pa.array([value and str(UUID(bytes=value)) for value in array.to_pylist()], "string")
    if kind in ("instant", "local_time"):
        # A moment with a zone would need a database of time zones.
        texts = pc.cast(array.cast(pa.timestamp("us", array.type.tz)).view(pa.timestamp("us")), "string")
        return texts if between == " " else pc.utf8_replace_slice(texts, 10, 11, between)
    return pc.cast(array, "string")


def listed(array: Any, kind: Kind) -> list[Any]:
    """Return the values as :func:`python_values` does, but JSON as its text."""
    if kind != "json":
        return python_values(array, kind)
    texts: list[str | None] = array.to_pylist()
    return texts
