"""What a file is that does not begin like an Avro object container file, as far as its first bytes tell."""

from __future__ import annotations

_CONTAINER = (
    "a container file has its schema in its header. Let its producer write one, such as Kafka Connect's S3 sink with "
    "AvroFormat"
)
# First bytes, and what they are of. Sources: Confluent's "Wire format"; Avro 1.12, "Single-object encoding".
_FORMATS: tuple[tuple[bytes, str], ...] = (
    (b"\xc3\x01", f"it begins like a single message in Avro's single-object encoding, without a schema; {_CONTAINER}"),
    (b"Obj", "it begins like one of another version of Avro; only version 1 is known"),
    (b"\x1f\x8b", "it is compressed as a whole, by gzip; use Avro's own compression (avro.codec) instead"),
    (b"\x28\xb5\x2f\xfd", "it is compressed as a whole, by zstandard; use Avro's own compression (avro.codec) instead"),
    (b"PK", "it begins like a zip archive"),
    (b"PAR1", "it begins like a Parquet file"),
    (b"ORC", "it begins like an ORC file"),
    (b"{", "it begins like JSON"),
    (b"[", "it begins like JSON"),
)
HEAD_BYTES = 5


def what_it_is(head: bytes) -> str:
    """
    Return what a file may be, as the end of a sentence about it; empty if that is not known.

    :param head: its first :data:`HEAD_BYTES` bytes, or all if it has fewer.
    """
    if head[:1] == b"\0" and len(head) == HEAD_BYTES and any(head):
        number = int.from_bytes(head[1:], "big")
        kind = f"a single message of Kafka in Confluent's wire format, with the schema {number} of a schema registry"
        return f": it begins like {kind}; {_CONTAINER}"
    return next((f": {text}" for first, text in _FORMATS if head.startswith(first)), "")
