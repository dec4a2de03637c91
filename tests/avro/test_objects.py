from __future__ import annotations

import io

import fastavro
import pytest

from airflow_agari_provider.avro.objects import count_records
from airflow_agari_provider.exceptions import BadAvro


def test_the_records_of_an_object_are_counted(s3, bucket):
    stream = io.BytesIO()
    fastavro.writer(stream, {"type": "int"} | {"name": "n"}, range(5000), codec="deflate")
    s3.put_object(Bucket=bucket, Key="n.avro", Body=stream.getvalue())
    assert count_records(s3, bucket, "n.avro") == 5000
    s3.put_object(Bucket=bucket, Key="n.avro", Body=stream.getvalue()[:-1])
    with pytest.raises(BadAvro, match=r"s3://agari/n\.avro, byte"):
        count_records(s3, bucket, "n.avro")
