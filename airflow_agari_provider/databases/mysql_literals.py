"""
Rows of Arrow arrays as literals of MySQL, a column at a time.

A driver would convert and escape each value in Python, which takes longer than the server needs for it.
Source: MySQL reference manual, "Literal Values". A backslash escapes, which :meth:`MySqlDialect.prepare` ensures.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

from airflow_agari_provider.avro.arrow.batches import ArrowBatch, arrow_batch
from airflow_agari_provider.avro.arrow.values import content
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.arrow_texts import TEXT_KINDS, hex_array, text_array
from airflow_agari_provider.databases.errors import UnstorableValue

Rows = list[tuple[Any, ...]]
STATEMENT_BYTES = 1024 * 1024  # of a statement; larger ones are no faster
PART_BYTES = 64 * 1024 * 1024  # of the values that become texts at once: Arrow's texts end at 2 GiB


def insert_parts(
    head: str,
    columns: Sequence[Column],
    batches: Iterable[Batch],
    room: int,
    others: Callable[[Batch], Iterable[Rows]],
) -> Generator[bytes | Rows]:
    """
    Yield the statements that insert batches of Arrow arrays, and the rows of all other batches.

    :param head: a statement up to its values.
    :param room: bytes that the server accepts after the head.
    :param others: makes rows, as the driver takes them.
    :raises UnstorableValue: the database cannot hold a value, or the server does not accept a row as large as one.
    """
    for batch in filter(lambda batch: batch.rows, batches):
        if isinstance(batch, ArrowBatch):
            yield from _insert_statements(head, columns, batch, room)
        else:
            yield from others(batch)


def _insert_statements(head: str, columns: Sequence[Column], batch: ArrowBatch, room: int) -> Iterator[bytes]:
    for part in in_parts(columns, batch):
        yield from _statements(head.encode(), columns, part.arrays, room)


def in_parts(columns: Sequence[Column], batch: ArrowBatch) -> Iterator[ArrowBatch]:
    """Part a batch into batches that are small enough to become texts."""
    size = sum(array.nbytes for array in batch.arrays)
    step = max(1, batch.rows // (size // PART_BYTES + 1))
    for start in range(0, batch.rows, step):
        arrays = tuple(array.slice(start, step) for array in batch.arrays)
        yield arrow_batch(min(step, batch.rows - start), columns, arrays)


def _statements(head: bytes, columns: Sequence[Column], arrays: Sequence[Any], room: int) -> Iterator[bytes]:
    rows = rows_array(columns, arrays, _literals, "NULL", ("(", ",", "),"))
    require_rows_fit(columns, arrays, rows, room)
    offsets = memoryview(rows.buffers()[1]).cast("i")
    data = memoryview(rows.buffers()[2])
    first, last = rows.offset, rows.offset + len(rows)
    enough = min(room, STATEMENT_BYTES)
    while first < last:
        end = first + 1
        while end < last and offsets[end + 1] - offsets[first] <= enough:
            end += 1
        yield head + data[offsets[first] : offsets[end] - 1]  # without the last comma
        first = end


def rows_array(
    columns: Sequence[Column],
    arrays: Sequence[Any],
    texts: Callable[[Column, Any], Any],
    null: str,
    marks: tuple[str, str, str],
) -> Any:
    """
    Return an array with a text for each row.

    :param texts: makes an array of texts from an array of a column's values.
    :param null: text for a value that is missing.
    :param marks: what stands before a row, between its values, and after it.
    """
    import pyarrow.compute as pc

    before, between, after = marks
    pieces: list[Any] = [before]
    for column, array in zip(columns, arrays, strict=True):
        pieces += [pc.fill_null(texts(column, array), null), between]
    return pc.binary_join_element_wise(*pieces[:-1], after, "")


def require_rows_fit(columns: Sequence[Column], arrays: Sequence[Any], rows: Any, room: int) -> None:
    """
    Check that each row alone fits into a statement.

    :param rows: the rows as texts that end with one more character.
    :raises UnstorableValue: a row does not fit.
    """
    import pyarrow.compute as pc

    lengths = pc.binary_length(rows)
    longest = (pc.max(lengths).as_py() or 0) - 1
    if longest > room:
        row = pc.index(lengths, longest + 1).as_py()
        sizes = [len(str(array[row].as_py() or "")) for array in arrays]
        column = columns[sizes.index(max(sizes))]
        problem = f"its row takes {longest} bytes, more than the server's max_allowed_packet allows"
        raise UnstorableValue(column.name, problem)


def _literals(column: Column, array: Any) -> Any:
    import pyarrow.compute as pc

    if column.kind in TEXT_KINDS:
        return pc.binary_join_element_wise("'", _escaped(text_array(array, column.kind, " ")), "'", "")
    if column.kind == "bytes":
        return pc.binary_join_element_wise("x'", hex_array(array), "'", "")
    if column.kind == "boolean":
        return pc.if_else(array, "1", "0")
    if column.kind not in ("float", "double"):
        return pc.cast(array, "string")
    texts = pc.cast(finite(column, array), "string")
    # Without an exponent it would be a decimal, which has fewer digits than a double.
    return pc.if_else(pc.match_substring(texts, "e"), texts, pc.binary_join_element_wise(texts, "e0", ""))


def finite(column: Column, array: Any) -> Any:
    """
    Return numbers with all digits that they have, in 64 bits; integers as they are.

    :raises UnstorableValue: one is NaN or infinite.
    """
    import pyarrow.compute as pc

    if column.kind not in ("float", "double"):
        return array
    numbers = pc.cast(array, "float64")
    if not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise UnstorableValue(column.name, "MySQL cannot hold NaN or infinity")
    return numbers


def _escaped(array: Any) -> Any:
    import pyarrow.compute as pc

    data = content(array)
    if b"\\" in data:
        array = pc.replace_substring(array, "\\", "\\\\")
    return pc.replace_substring(array, "'", "''") if b"'" in data else array
