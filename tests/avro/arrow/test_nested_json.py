from __future__ import annotations

import pytest

from tests.avro.arrow.decoding import every_decoder, rows
from tests.avro.container_files import written
from tests.avro.sample_schemas import record_of

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")


@every_decoder
def test_the_name_of_a_nested_field_is_escaped_as_text_is(decoder):
    inner = {"type": "record", "name": "i", "fields": [{"name": 'a":1,"b\\', "type": "int"}]}
    data = written(record_of(inner), [{"v": {'a":1,"b\\': 7}}])
    assert rows(decoder, data) == [('{"a\\":1,\\"b\\\\":7}',)]


LISTS = {"type": "array", "items": ["null", "string"]}
TEXTS = {"type": "array", "items": "string"}
MAP = {"type": "map", "values": "string"}
POINT = {"type": "record", "name": "point", "fields": [{"name": "x", "type": "double"}, {"name": "on", "type": TEXTS}]}


@every_decoder
@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        (TEXTS, [["a", "b"], [""], []], ['["a","b"]', '[""]', "[]"]),
        (TEXTS, [["a", "b"], [""]], ['["a","b"]', '[""]']),  # none of them empty
        (["null", TEXTS], [["a"], None, []], ['["a"]', None, "[]"]),
        (["null", TEXTS], [None, None], [None, None]),
        (LISTS, [["a", None], [None], []], ['["a",null]', "[null]", "[]"]),
        ({"type": "array", "items": TEXTS}, [[["a"], []], [[]], []], ['[["a"],[]]', "[[]]", "[]"]),
        ({"type": "array", "items": ["null", TEXTS]}, [[["a", "b"], None]], ['[["a","b"],null]']),
        ({"type": "array", "items": "long"}, [[1, -2], [3], []], ["[1,-2]", "[3]", "[]"]),
        ({"type": "array", "items": ["null", "double"]}, [[1.0, None, 0.5], []], ["[1.0,null,0.5]", "[]"]),
        ({"type": "map", "values": "null"}, [{"a": None, "b": None}, {}], ['{"a":null,"b":null}', "{}"]),
        (MAP, [{"a": "1", "b": ""}, {"": "x"}, {}], ['{"a":"1","b":""}', '{"":"x"}', "{}"]),
        ({"type": "map", "values": "int"}, [{"a": 1, "b": 2}, {}], ['{"a":1,"b":2}', "{}"]),
        ({"type": "map", "values": ["null", "string"]}, [{"a": None, "b": "c"}], ['{"a":null,"b":"c"}']),
        ({"type": "map", "values": TEXTS}, [{"a": ["b", "c"], "d": []}, {}], ['{"a":["b","c"],"d":[]}', "{}"]),
        ({"type": "map", "values": "double"}, [{}, {}], ["{}", "{}"]),
        ({"type": "array", "items": POINT}, [[]], ["[]"]),
        (POINT, [{"x": -0.5, "on": ["a", "b"]}], ['{"x":-0.5,"on":["a","b"]}']),
        (POINT, [{"x": 2.0, "on": []}], ['{"x":2.0,"on":[]}']),
        (["null", POINT], [{"x": 1.5, "on": ["a"]}, None], ['{"x":1.5,"on":["a"]}', None]),
        ({"type": "array", "items": POINT}, [[{"x": 1.5, "on": ["a"]}, {"x": 2.5, "on": ["b"]}], []],
         ['[{"x":1.5,"on":["a"]},{"x":2.5,"on":["b"]}]', "[]"]),
    ],
)  # fmt: skip
def test_nested_values_are_text_also_when_parts_are_empty_or_missing(decoder, kind, values, texts):
    assert rows(decoder, written(record_of(kind), [{"v": value} for value in values])) == [(text,) for text in texts]
