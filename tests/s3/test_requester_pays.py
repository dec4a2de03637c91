from __future__ import annotations

from airflow_agari_provider.s3.objects import ObjectStream, objects_at
from airflow_agari_provider.s3.requester_pays import pay_for_requests


def test_every_request_says_that_it_is_paid_for(s3, bucket):
    s3.put_object(Bucket=bucket, Key="day/k.avro", Body=b"x")
    asked: list[tuple[str, bytes | None]] = []

    def see(request, event_name, **kwargs):
        asked.append((event_name.rpartition(".")[2], request.headers.get("x-amz-request-payer")))

    s3.meta.events.register("before-send.s3", see)
    ObjectStream(s3, bucket, "day/k.avro").close()
    assert asked == [("GetObject", None)]
    pay_for_requests(s3)
    pay_for_requests(s3)
    (found,) = objects_at(s3, "s3://agari/day")
    ObjectStream(s3, bucket, found.key).close()
    s3.head_object(Bucket=bucket, Key=found.key)
    s3.put_object(Bucket=bucket, Key="quarantine", Body=b"")
    s3.list_buckets()  # belongs to no bucket
    names = ["ListObjectsV2"] * 2 + ["GetObject", "HeadObject", "PutObject"]
    assert asked[1:] == [*((name, b"requester") for name in names), ("ListBuckets", None)]
