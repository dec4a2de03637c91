from __future__ import annotations

import pytest

from airflow_agari_provider.local.emr.staging import s3_prefixes

KEYS = ["a", "a/x", "ab", "archive/dt=2016-04-27/hour=05/x", "archive/dt=2016-04-28/hour=05/x", "other/x"]


@pytest.mark.parametrize(
    ("word", "staged"),
    [
        pytest.param("s3://agari/a", ["a", "a/x"], id="an object or a folder, no neighbour"),
        pytest.param("s3n://agari/a/", ["a/x"], id="a folder with its slash"),
        pytest.param("s3a://agari", KEYS, id="a bucket"),
        pytest.param("s3://agari/archive/dt=2016-04-2[78]/*/", KEYS[3:5], id="a glob"),
        pytest.param("s3://agari/archive/dt=2016-04-27/*", KEYS[3:4], id="a glob below one folder"),
        pytest.param("s3://agari/archive/dt={2016-04-27,2016-04-28}", KEYS[3:5], id="alternatives with a comma"),
        pytest.param("s3://agari/other,s3://agari/ab", ["ab", "other/x"], id="a list with a comma"),
        pytest.param('{"in": "s3://agari/ab", "n": 1}', ["ab"], id="within JSON"),
        pytest.param("spark.agari.input=s3://agari/ab", ["ab"], id="within a setting"),
        pytest.param("/agari/a", [], id="no address"),
        pytest.param("hdfs://agari/a", [], id="another file system"),
    ],
)
def test_what_an_argument_names_is_staged_and_nothing_else(word: str, staged: list[str]) -> None:
    prefixes = s3_prefixes(["--input", word])
    assert [key for key in KEYS if any(key in prefix for prefix in prefixes)] == staged
    assert {prefix.bucket for prefix in prefixes} <= {"agari"}


def test_each_prefix_is_staged_once() -> None:
    assert len(s3_prefixes(["s3://agari/a", "--again=s3://agari/a", "s3://agari/b"])) == 2
