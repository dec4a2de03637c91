"""
Schemas whose tagged unions say in each value which branch it has, and whose fields have the names of the reader's.

Each branch becomes a record of one field, which has the branch's name. Such a record is encoded as the field itself: by
that schema a decoder reads ``{"string": "a"}`` from the bytes of ``"a"``, which is also Avro's own JSON encoding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from airflow_agari_provider.avro.columns import Column, UnsupportedAvroType, kind_of_column
from airflow_agari_provider.avro.reader_defaults import default_value
from airflow_agari_provider.avro.resolution import matching_branch, sources
from airflow_agari_provider.avro.schemas import AvroSchema, reparsed
from airflow_agari_provider.avro.unions import Unions, UnionTags, branch_names


def with_branches(
    writer: AvroSchema, reader: AvroSchema | None, unions: Unions
) -> tuple[AvroSchema, AvroSchema | None]:
    """
    Return the schemas by which to read a file, so that the values of tagged unions say their branch, and each field
    gets the value of its own field of the file.

    :param writer: schema of the file.
    :param reader: schema to resolve the records to, which can be done; its unions decide. None: they stay as they are.
    """
    tags = UnionTags(reader or writer, unions)
    found = tags.unions_in((reader or writer).definition)
    if reader is None:
        return (
            reparsed(writer, _Tagged(writer, tags, {}).schema(writer.definition))
            if any(map(tags.tags, found))
            else writer
        ), None
    aliased = any(field.get("aliases") for kind in reader.named.values() for field in kind.get("fields", []))
    if not aliased and all(len(union) - union.count("null") < 2 for union in found):
        return writer, reader
    paired = _Paired(writer, reader, tags)
    written = paired.schema(writer.definition, reader.definition)
    return reparsed(writer, written), reparsed(reader, _Tagged(reader, tags, paired.aliases).schema(reader.definition))


def require_told_apart(schema: AvroSchema, columns: Iterable[Column], unions: Unions) -> None:
    """
    With ``plain``: check that the JSON of the columns tells the branch of each union.

    :param schema: that the columns are of.
    :raises UnsupportedAvroType: it does not.
    """
    if unions != "plain":
        return
    tags = UnionTags(schema, unions)
    for column in columns:
        kind = kind_of_column(schema, column)
        if pair := next(filter(None, map(tags.clash, tags.unions_in(kind))), None):
            one, other = branch_names(list(pair))
            problem = (
                f"a union has the types {one} and {other}, whose values may have equal JSON, so that unions='plain' "
                "would lose which of them a value is; unions='auto' keeps it"
            )
            raise UnsupportedAvroType(column.name, problem)


class _Tagged:
    """
    Makes the schema of values that say the branches of tagged unions.

    :param aliases: of branches, by union and position, and of named types, by name.
    """

    def __init__(self, schema: AvroSchema, tags: UnionTags, aliases: Mapping[Any, Sequence[str]]) -> None:
        self._schema, self._tags, self._aliases = schema, tags, aliases
        self._made: set[str] = set()
        self._numbers = count(1)

    def schema(self, kind: Any) -> Any:
        kind = self._tags.resolved(kind)
        if isinstance(kind, list):
            return self._union(kind)
        if isinstance(kind, str):
            return kind
        own = {key: self.schema(kind[key]) for key in ("items", "values") if key in kind}
        if name := kind.get("name"):
            if name in self._made:
                return name
            self._made.add(name)
            own = _named(name, [*kind.get("aliases", []), *self._aliases.get(name, [])])
        if "fields" in kind:
            own["fields"] = [self._field(field) for field in kind["fields"]]
        return _unparsed(kind) | own

    def _field(self, field: Any) -> Any:
        own = {"type": self.schema(field["type"])}
        if "default" in field:
            own["default"] = self._default(field["type"], field["default"])
        return field | own

    def _union(self, union: list[Any]) -> list[Any]:
        if not self._tags.tags(union):
            return [self.schema(branch) for branch in union]
        names = _names_of(self._tags, union)
        return [
            branch
            if branch == "null"
            else _branch(
                f"AgariBranch{next(self._numbers)}",
                name,
                self.schema(branch),
                self._aliases.get((id(union), position), []),
            )
            for position, (branch, name) in enumerate(zip(union, names, strict=True))
        ]

    def _default(self, kind: Any, default: Any) -> Any:
        """Return a field's default, as JSON gives it, with the branches of tagged unions."""
        kind = self._tags.resolved(kind)
        if isinstance(kind, list):
            position = next(number for number, branch in enumerate(kind) if self._is_default(branch, default))
            value = self._default(kind[position], default)
            tagged = self._tags.tags(kind) and kind[position] != "null"
            return {_names_of(self._tags, kind)[position]: value} if tagged else value
        if isinstance(kind, str):
            return default
        if "fields" in kind:
            kinds = {field["name"]: field["type"] for field in kind["fields"]}
            return {name: self._default(kinds[name], value) for name, value in default.items() if name in kinds}
        if "items" in kind:
            return [self._default(kind["items"], value) for value in default]
        if "values" in kind:
            return {key: self._default(kind["values"], value) for key, value in default.items()}
        return default

    def _is_default(self, kind: Any, default: Any) -> bool:
        try:
            default_value(self._schema, kind, default)
        except (ValueError, OverflowError):
            return False
        return True


class _Paired:
    """
    Makes the schema of a file whose values say their branches in the unions of another schema.

    fastavro would compare the last parts of names only, and take the first branch that fits; of two fields for one of
    the reader it would take the first, or fail. So a type of the file gets a name of ours where its own would not do,
    and a field the name that the reader has for it.
    """

    def __init__(self, writer: AvroSchema, reader: AvroSchema, tags: UnionTags) -> None:
        self._writer, self._reader, self._tags = writer, reader, tags
        self.aliases: dict[Any, list[str]] = defaultdict(list)
        """Names of what was made here, by what the reader has for them; see :class:`_Tagged`."""
        self._made: dict[tuple[str, str | None], str] = {}
        self._last_parts = Counter(map(_last_part, reader.named))
        self._numbers = count(1)

    def schema(self, written: Any, wanted: Any) -> Any:
        """:param wanted: the reader's type; None if the reader does not want the value."""
        written, wanted = self._writer.resolved(written), self._tags.resolved(wanted)
        if isinstance(written, list):
            return [self.schema(branch, wanted) for branch in written]
        if isinstance(wanted, list):
            return self._in_union(written, wanted)
        if isinstance(written, str):
            return written
        counterpart = wanted if isinstance(wanted, dict) else {}
        own = {key: self.schema(written[key], counterpart.get(key)) for key in ("items", "values") if key in written}
        if name := written.get("name"):
            pair = name, counterpart.get("name")
            if pair in self._made:
                return self._made[pair]
            own = _named(self._name(pair), [])
        if "fields" in written:
            own["fields"] = list(self._fields(written, counterpart))
        return _unparsed(written) | own

    def _fields(self, written: Any, counterpart: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        wanted = {field["name"]: field["type"] for field in counterpart.get("fields", [])}
        names = {source: name for name, source in sources(written, counterpart).items()} if wanted else {}
        for number, field in enumerate(written["fields"]):
            name = names.get(field["name"])
            yield {
                "name": name or f"agari_unread_{number}",
                "type": self.schema(field["type"], wanted.get(name) if name else None),
            }

    def _name(self, pair: tuple[str, str | None]) -> str:
        name, wanted = pair
        taken = name in self._made.values() or (wanted and self._last_parts[_last_part(wanted)] > 1)
        made = f"AgariWritten{next(self._numbers)}" if taken else name
        if taken and wanted:
            self.aliases[wanted].append(made)
        self._made[pair] = made
        return made

    def _in_union(self, written: Any, union: list[Any]) -> Any:
        position = matching_branch(self._writer, written, self._reader, union)
        if position is None:
            return self.schema(written, None)
        inner = self.schema(written, union[position])
        if not self._tags.tags(union) or union[position] == "null":
            return inner
        name = f"AgariWritten{next(self._numbers)}"
        self.aliases[id(union), position].append(name)
        return _branch(name, _names_of(self._tags, union)[position], inner, [])


def _last_part(name: str) -> str:
    return name.rpartition(".")[2]


def _names_of(tags: UnionTags, union: Sequence[Any]) -> list[str]:
    return branch_names([tags.resolved(branch) for branch in union])


def _branch(name: str, tag: str, kind: Any, aliases: Sequence[str]) -> dict[str, Any]:
    return {"type": "record", **_named(name, aliases), "fields": [{"name": tag, "type": kind}]}


def _named(name: str, aliases: Sequence[str]) -> dict[str, Any]:
    """Return a full name that does not depend on the names around it."""
    return {"name": name, "namespace": name.rpartition(".")[0]} | ({"aliases": list(aliases)} if aliases else {})


def _unparsed(kind: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in kind.items() if not key.startswith("__")}
