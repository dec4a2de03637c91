"""The made-up days: published counts, the same bytes everywhere, and no hint at who is forged."""

from __future__ import annotations

import hashlib
import io
import ipaddress
import json
import re
from collections import Counter
from datetime import UTC, date, datetime

import fastavro

from airflow_agari_provider.local.demo.messages import MESSAGE_SCHEMA, day_of_messages, write_day, write_history
from airflow_agari_provider.local.demo.published_day import DAY, PUBLISHED_DAY, Organisation, scaled

SMALL_DAY = scaled(PUBLISHED_DAY, 3_000)


def readable(message):
    """Whether a message has a sender and an address that can be read."""
    try:
        ipaddress.ip_address(message["sending_ip"] or "")
    except ValueError:
        return False
    return re.search(r"[\w-]@[\w-]+\.\w+", message["header_from"] or "") is not None


def kept(upload):
    """The messages of an upload that scoring must not leave out, by id, told without Spark."""
    return {
        message["message_id"]: message
        for message in upload.messages
        if readable(message) and datetime.fromtimestamp(message["received_at"] / 1000, UTC).date() == DAY
    }


def registered_domain(message):
    return ".".join(message["header_from"].rstrip(">").rpartition("@")[2].split(".")[-2:])


def test_the_day_has_every_published_count():
    collected, left_out, hours, domains = Counter(), Counter(), Counter(), set()
    for upload in day_of_messages(DAY):
        collected[upload.org_id] += len(upload.messages)
        left_out[upload.org_id] += len(upload.messages) - len(kept(upload))
        domains.update(map(registered_domain, kept(upload).values()))
        hours[upload.hour.hour] += len(upload.messages)
    assert collected == {
        1: 340,
        5: 43115,
        6: 156,
        7: 73,
        12: 315,
        14: 35648,
        16: 35383,
        25: 20530,
        54: 30003,
        56: 108084,
    }
    assert left_out == {1: 74, 5: 0, 6: 3, 7: 5, 12: 204, 14: 6917, 16: 1373, 25: 0, 54: 3813, 56: 4}
    assert (hours[3], hours[15], len(hours)) == (3556, 20527, 24)
    assert len(domains) == 22_058


def test_messages_are_skipped_for_every_reason_and_three_in_a_hundred_are_spoofed():
    reasons: Counter[str] = Counter()
    spoofed = read = 0
    for upload in day_of_messages(DAY, scaled(PUBLISHED_DAY, 40_000)):
        ids = Counter(message["message_id"] for message in upload.messages)
        reasons["sent twice"] += ids.total() - len(ids)
        spoofed += len(upload.spoofed)
        read += len(upload.messages)
        for message in upload.messages:
            at = datetime.fromtimestamp(message["received_at"] / 1000, UTC)
            if at.date() == DAY:
                assert at.replace(minute=0, second=0, microsecond=0) == upload.hour
            reasons["other day"] += at.date() != DAY
            reasons["no sender"] += not (message["header_from"] or "").strip(" <>")
            reasons["other unreadable"] += bool((message["header_from"] or "").strip(" <>")) and not readable(message)
    assert min(reasons.values()) > 100
    assert 0.025 < spoofed / read < 0.035


def test_a_day_is_the_same_in_every_process_and_on_every_python():
    digest = hashlib.sha256()
    for upload in day_of_messages(DAY, SMALL_DAY, seed=1):
        digest.update(json.dumps([upload.messages, sorted(upload.spoofed)], sort_keys=True).encode())
    assert digest.hexdigest()[:16] == "07d7ba0a90a10332"


def test_days_and_seeds_differ():
    def first(day, seed):
        return next(upload.messages for upload in day_of_messages(day, SMALL_DAY, seed) if upload.messages)

    days = [first(DAY, 1), first(DAY, 2), first(date(2016, 4, 27), 1)]
    assert days[0] != days[1] != days[2] != days[0]


def test_no_single_field_tells_the_forged_from_the_honest():
    names = {field["name"] for field in MESSAGE_SCHEMA["fields"]}
    seen: dict[tuple[str, object], Counter[bool]] = {}
    for upload in day_of_messages(DAY, scaled(PUBLISHED_DAY, 60_000)):
        for message in upload.messages:
            assert set(message) == names
            signs = {name: message[name] for name in ("spf_result", "dkim_result", "dmarc_result", "tls_version")}
            signs |= {"collector": message["collector"][-1], "size": message["size_bytes"] // 10_000}
            signs |= {"id": re.sub(r"[0-9a-f]", "x", message["message_id"].partition(".")[0])}
            for sign in signs.items():
                seen.setdefault(sign, Counter())[message["message_id"] in upload.spoofed] += 1
    for (name, value), forged in seen.items():
        assert forged[False], f"{name} {value} gives the forged away"
        assert forged[True], f"{name} {value} clears the honest"
        if name in {"collector", "size", "id", "tls_version"}:
            assert 0.02 < forged[True] / forged.total() < 0.04


def objects(s3, bucket, prefix):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def test_an_hours_manifest_follows_its_uploads_and_names_them(s3, bucket):
    written, progress = [], []
    s3.meta.events.register("before-parameter-build.s3.PutObject", lambda params, **_: written.append(params["Key"]))
    organisations = (Organisation(1, 40, 3, 0), Organisation(7, 2, 0, 0))

    total = write_day(
        s3, bucket, DAY, organisations, on_progress=lambda hour, count: progress.append((hour.hour, count))
    )

    assert total == 42
    assert [hour for hour, _ in progress] == list(range(24))
    assert sum(count for _, count in progress) == 42
    by_hour = [key.split("hour=")[1][:2] for key in written]
    assert by_hour == sorted(by_hour)
    for hour in range(24):
        keys = [key for key, of in zip(written, by_hour, strict=True) if of == f"{hour:02d}"]
        assert keys[-1] == f"manifests/dt=2016-04-28/hour={hour:02d}.json"
        manifest = json.load(s3.get_object(Bucket=bucket, Key=keys[-1])["Body"])
        assert manifest["hour"] == f"2016-04-28T{hour:02d}"
        assert set(manifest["counts"]) == {"1", "7"}
        assert sorted(manifest["objects"]) == sorted(keys[:-1])
        assert {key: messages(s3, bucket, key) for key in manifest["objects"]} == {
            f"incoming/dt=2016-04-28/hour={hour:02d}/org_id={org_id}/part-0.avro": count
            for org_id, count in manifest["counts"].items()
            if count
        }


def messages(s3, bucket, key):
    reader = fastavro.reader(io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
    assert reader.metadata["avro.codec"] == "deflate"
    return sum(1 for _ in reader)


def test_history_is_the_days_before_in_the_archive(s3, bucket):
    organisations = (Organisation(1, 10, 1, 0), Organisation(14, 90, 10, 0))
    assert write_history(s3, bucket, DAY, days=2, organisations=organisations) == 10_000
    assert {key: messages(s3, bucket, key) for key in objects(s3, bucket, "")} == {
        "archive/dt=2016-04-26/org_id=1/part-0.avro": 500,
        "archive/dt=2016-04-26/org_id=14/part-0.avro": 4500,
        "archive/dt=2016-04-27/org_id=1/part-0.avro": 500,
        "archive/dt=2016-04-27/org_id=14/part-0.avro": 4500,
    }
