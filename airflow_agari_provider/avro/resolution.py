"""
Whether a file that was written with one schema can be read as another. This is checked before any row is read.

Some answers depend on the values, such as which branch of a union a value has. Those come only with the reading.
Source: Avro 1.12 specification, "Schema Resolution".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_agari_provider.avro.reader_types import mismatch
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
    :param problem: why they cannot be resolved, as a clause.
    """

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(source, problem)
        self.source, self.problem = source, problem

    def __str__(self) -> str:
        return (
            f"The records of {self.source} cannot be resolved to reader_schema: {self.problem}. Nothing of this file "
            "was loaded. Correct reader_schema=, and give a default to each field that a file may lack; the file may "
            "be sound."
        )


def require_resolvable(writer: AvroSchema, reader: AvroSchema, source: str, every_value: bool = False) -> None:
    """
    Check that records of one schema can be resolved to another.

    :param source: name of the file for errors.
    :param every_value: whether every record that there can be must be readable, also one with a branch of a union or a
        symbol of an enum that the reader does not have.
    :raises ReaderSchemaMismatch: no record of the file could be read.
    """
    problem = _Resolution(writer, reader, every_value).problem(writer.definition, reader.definition, "the record")
    if problem:
        raise ReaderSchemaMismatch(source, problem)


def matching_branch(writer: AvroSchema, written: Any, reader: AvroSchema, union: list[Any]) -> int | None:
    """
    Return the position of the branch that values of a type in the file get in a union of the reader; None if no branch
    takes them.

    It is the branch of the same type or name, as in Java's library; else the first that they can be resolved to.

    :param written: a type that is not a union.
    """
    resolution = _Resolution(writer, reader)
    fitting = [
        position for position, branch in enumerate(union) if resolution.problem(written, branch, "the value") is None
    ]
    same = (position for position in fitting if _identity(reader.resolved(union[position])) == _identity(written))
    return next(same, next(iter(fitting), None))


def promotions(writer: AvroSchema, reader: AvroSchema) -> set[tuple[str, str]]:
    """Return the plain types of the file that are read as others, with these; maybe some that no value has."""
    resolution = _Resolution(writer, reader)
    resolution.problem(writer.definition, reader.definition, "the record")
    return resolution.promotions


def sources(written: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, str]:
    """
    Return the names of the reader's fields that a file has, and the names that these have in the file.

    A field's name counts before its aliases, and then each alias in its order: files may have the old and the new name
    while a field is being renamed. No field of the file goes to two of the reader.

    :param written: a record of the file; ``wanted`` the reader's.
    """
    names = [field["name"] for field in written["fields"]]
    found = {field["name"]: field["name"] for field in wanted["fields"] if field["name"] in names}
    for field in wanted["fields"]:
        if field["name"] not in found:
            aliases = (alias for alias in field.get("aliases", []) if alias in names and alias not in found.values())
            if alias := next(aliases, None):
                found[field["name"]] = alias
    return found


def _identity(kind: Any) -> str:
    return str(kind if isinstance(kind, str) else kind.get("name", kind["type"]))


class _Resolution:
    def __init__(self, writer: AvroSchema, reader: AvroSchema, every_value: bool = False) -> None:
        self._writer, self._reader, self._every_value = writer, reader, every_value
        self._seen: set[tuple[str, str]] = set()
        self.promotions: set[tuple[str, str]] = set()

    def problem(self, written: Any, wanted: Any, where: str) -> str | None:
        written, wanted = self._writer.resolved(written), self._reader.resolved(wanted)
        if isinstance(written, list):  # each value says which branch it has
            found = [self.problem(branch, wanted, where) for branch in written]
            if self._every_value:
                return next(filter(None, found), None)
            return found[-1] if found and all(found) else None
        if isinstance(wanted, list):
            found = [self.problem(written, branch, where) for branch in wanted]
            problem = f"{where} is {_name(written)} in the file, which is not one of its types in reader_schema"
            return problem if all(found) else None
        name, wanted_name = _name(written), _name(wanted)
        if name in ("record", "error") and wanted_name in ("record", "error"):
            return self._of_names(written, wanted, where) or self._of_fields(written, wanted, where)
        if name in ("enum", "fixed") and name == wanted_name:
            unlike = self._of_names(written, wanted, where) or _of_values(written, wanted, where)
            return unlike or (self._of_symbols(written, wanted, where) if name == "enum" else None)
        if name == wanted_name and name in ("array", "map"):
            part = "items" if name == "array" else "values"
            return self.problem(written[part], wanted[part], where)
        if name != wanted_name and wanted_name not in _PROMOTIONS.get(name, ()):
            return f"{where} is {name} in the file and {wanted_name} in reader_schema"
        self.promotions.add((name, wanted_name))
        return _of_values(written, wanted, where)

    def _of_names(self, written: Any, wanted: Any, where: str) -> str | None:
        """Compare the last parts of the names, as fastavro does."""
        name = written["name"].rpartition(".")[2]
        if name == wanted["name"].rpartition(".")[2] or {name, written["name"]} & set(wanted.get("aliases", [])):
            return None
        return f"{where} is named {written['name']!r} in the file and {wanted['name']!r} in reader_schema"

    def _of_symbols(self, written: Any, wanted: Any, where: str) -> str | None:
        missing = [symbol for symbol in written["symbols"] if symbol not in wanted["symbols"]]
        if not (self._every_value and missing) or "default" in wanted:
            return None
        return f"{where} may be {missing[0]!r} in the file, which is no symbol of the enum in reader_schema"

    def _of_fields(self, written: Any, wanted: Any, where: str) -> str | None:
        pair = written["name"], wanted["name"]
        if pair in self._seen:
            return None
        self._seen.add(pair)
        kinds = {field["name"]: field["type"] for field in written["fields"]}
        found = sources(written, wanted)
        for field in wanted["fields"]:
            if field["name"] not in found and "default" not in field:
                return f"the file has no field {field['name']!r}, which has no default in reader_schema"
            if field["name"] in found:
                kind = kinds[found[field["name"]]]
                if problem := self.problem(kind, field["type"], f"field {field['name']!r}"):
                    return problem
        return None


def _name(kind: Any) -> str:
    return str(kind if isinstance(kind, str) else kind["type"])


def _of_values(written: Any, wanted: Any, where: str) -> str | None:
    """Compare sizes and what the logical types mean."""
    if _name(written) == "fixed" and written["size"] != wanted["size"]:
        return f"{where} has {written['size']} bytes in the file and {wanted['size']} in reader_schema"
    problem = mismatch(written, wanted)
    return problem and f"{where} is {problem}"
