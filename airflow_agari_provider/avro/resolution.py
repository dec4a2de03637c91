"""
Whether what a file was written with can be read as another schema, asked before a row is read.

What depends on the values, such as which branch of a union each of them is, only reading tells.
Source: Avro 1.12 specification, "Schema Resolution".
"""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.avro.columns import logical_kind
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.exceptions import UnimportableObject

_PROMOTIONS = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}


class ReaderSchemaMismatch(UnimportableObject):
    """
    An object whose records cannot be resolved to ``reader_schema``.

    :param source: name of the object, such as its S3 URL.
    :param problem: why not, as a clause.
    """

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(source, problem)
        self.source, self.problem = source, problem

    def __str__(self) -> str:
        return (
            f"{self.source} does not resolve to reader_schema: {self.problem}. Nothing of it was loaded. Correct "
            "reader_schema=, in which a field that files may lack takes a default; the file may be sound."
        )


def require_resolvable(writer: AvroSchema, reader: AvroSchema, source: str) -> None:
    """
    :param source: name of the file for errors.
    :raises ReaderSchemaMismatch: no record of the file could be read.
    """
    problem = _Resolution(writer, reader).problem(writer.definition, reader.definition, "the record")
    if problem:
        raise ReaderSchemaMismatch(source, problem)


class _Resolution:
    def __init__(self, writer: AvroSchema, reader: AvroSchema) -> None:
        self._writer, self._reader = writer, reader
        self._seen: set[tuple[str, str]] = set()

    def problem(self, written: Any, wanted: Any, where: str) -> str | None:
        written, wanted = self._writer.resolved(written), self._reader.resolved(wanted)
        if isinstance(written, list):  # of which branch a value is, it says itself
            found = [self.problem(branch, wanted, where) for branch in written]
            return found[-1] if found and all(found) else None
        if isinstance(wanted, list):
            found = [self.problem(written, branch, where) for branch in wanted]
            return f"{where}: {_name(written)} is none of its types" if all(found) else None
        name, wanted_name = _name(written), _name(wanted)
        if name in ("record", "error") and wanted_name in ("record", "error"):
            return self._of_names(written, wanted, where) or self._of_fields(written, wanted, where)
        if name in ("enum", "fixed") and name == wanted_name:
            return self._of_names(written, wanted, where) or _of_values(written, wanted, where)
        if name == wanted_name and name in ("array", "map"):
            part = "items" if name == "array" else "values"
            return self.problem(written[part], wanted[part], where)
        if name != wanted_name and wanted_name not in _PROMOTIONS.get(name, ()):
            return f"{where} is {name} in the file and {wanted_name} in reader_schema"
        return _of_values(written, wanted, where)

    def _of_names(self, written: Any, wanted: Any, where: str) -> str | None:
        """By the last part of the name, as fastavro compares."""
        name = written["name"].rpartition(".")[2]
        if name == wanted["name"].rpartition(".")[2] or {name, written["name"]} & set(wanted.get("aliases", [])):
            return None
        return f"{where} is named {written['name']!r} in the file and {wanted['name']!r} in reader_schema"

    def _of_fields(self, written: Any, wanted: Any, where: str) -> str | None:
        pair = written["name"], wanted["name"]
        if pair in self._seen:
            return None
        self._seen.add(pair)
        kinds = {field["name"]: field["type"] for field in written["fields"]}
        for field in wanted["fields"]:
            names = [name for name in (field["name"], *field.get("aliases", [])) if name in kinds]
            if not names and "default" not in field:
                return f"the file has no field {field['name']!r}, which has no default"
            if names and (problem := self.problem(kinds[names[0]], field["type"], f"field {field['name']!r}")):
                return problem
        return None


def _name(kind: Any) -> str:
    return str(kind if isinstance(kind, str) else kind["type"])


def _of_values(written: Any, wanted: Any, where: str) -> str | None:
    """Sizes and decimals; what else a logical type makes of a value, fastavro takes from the file alone."""
    if _name(written) == "fixed" and written["size"] != wanted["size"]:
        return f"{where} has {written['size']} bytes in the file and {wanted['size']} in reader_schema"
    decimals = [kind for kind in (written, wanted) if logical_kind(kind) == "decimal"]
    if not decimals:
        return None
    if len(decimals) == 1:
        return f"{where} is a decimal in the file or in reader_schema, and no decimal in the other"
    (digits, scale), (wanted_digits, wanted_scale) = ((one["precision"], one.get("scale", 0)) for one in decimals)
    if scale > wanted_scale or digits - scale > wanted_digits - wanted_scale:
        return f"{where} is a decimal({digits}, {scale}), which decimal({wanted_digits}, {wanted_scale}) does not hold"
    return None
