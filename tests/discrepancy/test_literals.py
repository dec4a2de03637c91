from __future__ import annotations

import math

import pytest

from airflow_agari_provider.discrepancy.literals import Repeating, parsed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"5": 3}', {"5": 3}),
        ("{'5': 3}", {"5": 3}),
        ("{5: 3, ('a', 1): 4}", {5: 3, ("a", 1): 4}),
        ("  [1, None, True]\n", [1, None, True]),
        ("[1, null, true]", [1, None, True]),
        ("(1, -2.5)", [1, -2.5]),
        ("[]", []),
        ("{}", {}),
        ('"żółw\\n"', "żółw\n"),
        ("'🐢'", "🐢"),
        ("{'a': [{'b': (1,)}]}", {"a": [{"b": [1]}]}),
        ("1e999", math.inf),
    ],
)
def test_a_text_is_json_or_a_literal_of_python(text, value):
    assert parsed(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "None + 1",
        "{5: 3",
        "dict(a=1)",
        "__import__('os').getpid()",
        "{**{'a': 1}}",
        "[x for x in ()]",
        "a",
        "1; 2",
        "{[1]: 2}",
        "\0",
        "9" * 5000,
        "[" * 100_000,
        "-" * 100_000 + "1",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_anything_else_is_an_error_and_runs_nothing(text):
    with pytest.raises(ValueError, match="it is neither JSON nor a Python literal"):
        parsed(text)


@pytest.mark.parametrize("text", ['{"5": 1, "5": 2, "6": 3}', "{'5': 1, '5': 2, '6': 3}"])
def test_a_key_that_is_there_twice_is_kept_twice(text):
    found = parsed(text)
    assert isinstance(found, Repeating)
    assert list(found.pairs) == [("5", 1), ("5", 2), ("6", 3)]
    assert found == {"5": 2, "6": 3}


def test_it_is_found_inside_too_and_keys_that_only_look_alike_are_two():
    (inner,) = parsed('[{"a": {"5": 1, "5": 2}}]')
    assert (type(inner), type(inner["a"])) == (dict, Repeating)
    assert parsed("{5: 1, '5': 2}") == {5: 1, "5": 2}
    assert isinstance(parsed("{1: 1, True: 2}"), Repeating)
