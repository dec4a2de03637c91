"""
Makes days of e-mail metadata (no bodies) as collectors send it. The same seed gives the same data on every Python.

A day has exactly the published number of messages for each organisation. Among them is exactly the published number
that scoring has to skip, each for one reason: sent twice, no sender, an address that cannot be read, or received on
another day. The others come from exactly the published number of domains. Three in a hundred are spoofed. Their
ids are listed separately; the messages themselves do not tell.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from airflow_agari_provider.local.demo.published_day import PUBLISHED_DAY, Organisation, scaled, shared_out
from airflow_agari_provider.local.demo.senders import (
    SENDERS,
    SMALL_SENDERS,
    SPOOFED_SHARE,
    Chance,
    Message,
    World,
    chance_of,
    one_of,
)

SEED = 2016
HISTORY_DAYS = 5
HISTORY_SHARE = 0.044  # each day before has this share of the day's messages: 60,200 of 273,647 in five days
HISTORY_LEAST = 5_000  # messages a day; from fewer, the model does not learn all honest senders
DAILY_CURVE = (22, 18, 15, 13, 13, 15, 20, 26, 32, 38, 43, 47, 56, 66, 72, 75, 74, 71, 67, 60, 50, 41, 36, 30)
"""Weights of the hours (UTC), as on an American working day."""

UPLOAD_THREADS = 4
HOUR_MILLISECONDS = 3_600_000
DAY_MILLISECONDS = 24 * HOUR_MILLISECONDS

_TEXT_OR_NONE = ["null", "string"]
MESSAGE_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Message",
    "namespace": "com.agari.collector",
    "doc": "What a mail gateway knows of a message, whether it let it in or not; no content.",
    "fields": [
        {"name": "message_id", "type": "string"},
        {"name": "org_id", "type": "int"},
        {"name": "collector", "type": "string"},
        {"name": "received_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "header_from", "type": _TEXT_OR_NONE},
        {"name": "envelope_from", "type": _TEXT_OR_NONE},
        {"name": "sending_ip", "type": _TEXT_OR_NONE},
        {"name": "helo", "type": _TEXT_OR_NONE},
        {"name": "spf_result", "type": "string"},
        {"name": "dkim_result", "type": "string"},
        {"name": "dkim_domain", "type": _TEXT_OR_NONE},
        {"name": "dmarc_result", "type": "string"},
        {"name": "size_bytes", "type": "int"},
        {"name": "recipients", "type": "int"},
        {"name": "tls_version", "type": _TEXT_OR_NONE},
    ],
}

NO_SENDER = (None, "", " ", "<>")
BAD_SENDERS = (
    "undisclosed sender",
    "news(at)harborbank.example",
    '"News" <news@>',
    "<@cedarpay.test>",
    "root@localhost",
)
BAD_ADDRESSES = (None, "", "unknown", "256.10.3.4", "10.3.4", "10.0.0.7:25", "2001:db8::12345", "fe80:::1")


@dataclass(frozen=True)
class Upload:
    """
    The messages that the collectors of one organisation send for one hour.

    :param hour: the beginning of the hour.
    :param messages: records of ``MESSAGE_SCHEMA`` as they arrived; times are milliseconds since 1970-01-01 UTC.
    :param spoofed: the ``message_id`` of each message with a forged sender.
    """

    hour: datetime
    org_id: int
    messages: list[Message]
    spoofed: frozenset[str]


def day_of_messages(
    day: date,
    organisations: Sequence[Organisation] = PUBLISHED_DAY,
    seed: int = SEED,
    spoofed_share: float = SPOOFED_SHARE,
) -> Iterator[Upload]:
    """
    Return the uploads of a day, ordered by hour and then by organisation, including uploads without messages.

    :param spoofed_share: of the messages that are not of small senders.
    """
    world, scored = World(seed, day), 0
    counts = {each.org_id: _hourly_counts(each, chance_of(seed, day, each.org_id)) for each in organisations}
    for number in range(24):
        hour = datetime.combine(day, time(number), UTC)
        for organisation in organisations:
            count, skipped = counts[organisation.org_id][number]
            yield _upload(world, hour, organisation.org_id, count, skipped, seed, scored, spoofed_share)
            scored += count - skipped


def write_day(
    s3: Any,
    bucket: str,
    day: date,
    organisations: Sequence[Organisation] = PUBLISHED_DAY,
    seed: int = SEED,
    prefix: str = "incoming",
    on_progress: Callable[[datetime, int], None] | None = None,
    spoofed_share: float = SPOOFED_SHARE,
) -> int:
    """
    Write a day's uploads as ``<prefix>/dt=2016-04-28/hour=05/org_id=14/part-0.avro``. An upload without messages has no
    object.

    After all objects of an hour, ``manifests/dt=2016-04-28/hour=05.json`` is written, with the collectors' counts by
    organisation (0 included) and the keys of the objects.

    :param s3: boto3 client.
    :param on_progress: called with each completed hour and the number of its messages.
    :param spoofed_share: see :func:`day_of_messages`.
    :return: number of messages.
    """
    total = 0
    with ThreadPoolExecutor(UPLOAD_THREADS) as pool:
        for hour, uploads in groupby(day_of_messages(day, organisations, seed, spoofed_share), attrgetter("hour")):
            counts, puts = {}, {}
            for upload in uploads:
                counts[str(upload.org_id)] = len(upload.messages)
                if upload.messages:
                    key = f"{prefix}/dt={day}/hour={hour:%H}/org_id={upload.org_id}/part-0.avro"
                    puts[key] = pool.submit(s3.put_object, Bucket=bucket, Key=key, Body=avro_of(upload.messages))
            for put in puts.values():
                put.result()
            manifest = json.dumps({"hour": f"{hour:%Y-%m-%dT%H}", "counts": counts, "objects": list(puts)})
            s3.put_object(Bucket=bucket, Key=f"manifests/dt={day}/hour={hour:%H}.json", Body=manifest.encode())
            total += sum(counts.values())
            if on_progress is not None:
                on_progress(hour, sum(counts.values()))
    return total


def write_history(
    s3: Any,
    bucket: str,
    day: date,
    days: int = HISTORY_DAYS,
    organisations: Sequence[Organisation] = PUBLISHED_DAY,
    seed: int = SEED,
    prefix: str = "archive",
) -> int:
    """
    Write the days before ``day``, from which the model is built, as ``<prefix>/dt=2016-04-27/org_id=14/part-0.avro``.

    These days have fewer messages (``HISTORY_SHARE``, ``HISTORY_LEAST``), and one object for each organisation and day.

    :return: number of messages.
    """
    collected = sum(organisation.collector for organisation in organisations)
    quiet = scaled(organisations, max(HISTORY_LEAST, int(HISTORY_SHARE * collected)))
    with ThreadPoolExecutor(UPLOAD_THREADS) as pool:
        puts = []
        for ago in range(days, 0, -1):
            earlier = day - timedelta(days=ago)
            messages: dict[int, list[Message]] = {}
            for upload in day_of_messages(earlier, quiet, seed):
                messages.setdefault(upload.org_id, []).extend(upload.messages)
            for org_id, received in messages.items():
                key = f"{prefix}/dt={earlier}/org_id={org_id}/part-0.avro"
                puts.append(pool.submit(s3.put_object, Bucket=bucket, Key=key, Body=avro_of(received)))
        for put in puts:
            put.result()
    return days * sum(organisation.collector for organisation in quiet)


def avro_of(messages: Sequence[Message]) -> bytes:
    """Return an Avro object container file, compressed with deflate."""
    from fastavro import parse_schema, writer

    file = io.BytesIO()
    writer(file, parse_schema(MESSAGE_SCHEMA), messages, codec="deflate")
    return file.getvalue()


def _hourly_counts(organisation: Organisation, chance: Chance) -> list[tuple[int, int]]:
    """Return for each hour the number of messages and how many of them to skip, a random choice from the whole day."""
    left, to_skip = organisation.collector, organisation.skipped
    hours = []
    for count in shared_out(organisation.collector, DAILY_CURVE):
        before = to_skip
        for _ in range(count):
            to_skip -= chance() * left < to_skip
            left -= 1
        hours.append((count, before - to_skip))
    return hours


def small_senders(messages: int) -> int:
    """Return how many small senders have written when a day had so many messages that are not to be skipped."""
    return SMALL_SENDERS * messages // sum(organisation.scored for organisation in PUBLISHED_DAY)


def _upload(
    world: World,
    hour: datetime,
    org_id: int,
    count: int,
    to_skip: int,
    seed: int,
    scored: int,
    spoofed_share: float,
) -> Upload:
    chance = chance_of(seed, hour.isoformat(), org_id)
    favourite = int(chance_of(seed, org_id)() * SENDERS)
    begin, place = int(hour.timestamp()) * 1000, f"{org_id}-{hour:%Y%m%d%H}"
    messages: list[Message] = []
    usable: list[Message] = []
    spoofed = set()
    for number in range(count):
        received_at = begin + int(HOUR_MILLISECONDS * (number + chance()) / count)
        skip = chance() * (count - number) < to_skip
        to_skip -= skip
        if skip and usable and chance() < 0.4:  # the collector sends it again
            messages.append({**one_of(usable, chance), "received_at": received_at})
            continue
        small = small_senders(scored + len(usable))
        of_small = not skip and small_senders(scored + len(usable) + 1) > small
        forged = chance() < spoofed_share and not of_small
        if of_small:
            message = world.small(small, chance)
        else:
            message = world.spoofed(chance) if forged else world.authentic(favourite, chance)
        message["message_id"] = message_id = f"{int(chance() * 2**32):08x}.{number:x}.{place}"
        message["org_id"] = org_id
        message["collector"] = f"gateway-{org_id}-{number % 2 + 1}"
        message["received_at"] = received_at
        if skip:
            _spoil(message, chance)
        else:
            usable.append(message)
        if forged:
            spoofed.add(message_id)
        messages.append(message)
    return Upload(hour, org_id, messages, frozenset(spoofed))


def _spoil(message: Message, chance: Chance) -> None:
    """Change the message so that scoring has one reason to skip it."""
    reason = chance()
    if reason < 0.3:
        message["header_from"] = one_of(NO_SENDER, chance)
    elif reason < 0.5:
        message["header_from"] = one_of(BAD_SENDERS, chance)
    elif reason < 0.75:
        message["sending_ip"] = one_of(BAD_ADDRESSES, chance)
    elif reason < 0.8:  # a clock that starts at 1970 after a power cut
        message["received_at"] = int(chance() * HOUR_MILLISECONDS)
    elif reason < 0.95:  # a gateway delayed it for days
        message["received_at"] -= int((1 + 6 * chance()) * DAY_MILLISECONDS)
    else:
        message["received_at"] += int((1 + 300 * chance()) * DAY_MILLISECONDS)
