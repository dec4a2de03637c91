"""What the history stores: the runs of a check, what each found about keys, and what was told of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

KEY_CHARACTERS = 250
EVERY_CHANNEL = "*"  # in rows that were taken over from the first version, which did not record what was told


class Difference(NamedTuple):
    """
    What a run stored about one key in one comparison.

    :param key: its text, see :func:`stored_key`; empty if it is not about one key.
    :param severity: ``alarm`` or ``warn``; ``recovered``: a run before had found it, and this one did not.
    :param counts: the counts of all stages, as JSON.
    :param good_stage: the last stage before the one that lost or gained the messages; empty: not known, or none did.
    :param bad_stage: the first stage that lost or gained them.
    """

    key: str
    comparison: str
    difference: int
    percent_of: int
    severity: str
    counts: str = ""
    good_stage: str = ""
    bad_stage: str = ""


class Telling(NamedTuple):
    """
    That a channel was told of a run.

    :param kind: ``alarm``, ``warning``, ``report``, ``recovery``, or ``known``: nothing was sent, as it would have been
        no news.
    :param digest: of what was told, so that a retry does not tell it again.
    """

    kind: str
    digest: str
    told_at: float


@dataclass(frozen=True)
class StoredRun:
    """
    A run of a check, as it is stored.

    :param run_at: date of the run, as text whose order is the order of time.
    :param checked_at: when it was checked last; seconds since the epoch.
    :param tellings: by channel.
    :param shares: distribution -> value -> number of messages.
    :param series: runs learn what is usual only from runs with the same text.
    :param usual: stage -> from how many to how many messages were usual, of stages whose volume was judged.
    :param accepted: whether a person has accepted what is wrong with its window.
    """

    run_at: str
    run_id: str
    window: str
    verdict: str
    checked_at: float
    keys: int = 0
    alarms: int = 0
    discrepant: int = 0
    report_url: str = ""
    totals: Mapping[str, int] = field(default_factory=dict)
    differences: Sequence[Difference] = ()
    tellings: Mapping[str, Telling] = field(default_factory=dict)
    shares: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    series: str = ""
    usual: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    accepted: bool = False


class PastRun(NamedTuple):
    """
    What an earlier run counted, from which a later one learns what is usual.

    :param moment: the time that it is about.
    :param totals: by stage.
    :param keys: key, as it is stored -> stage -> count, of the largest keys.
    :param has_all_keys: whether these are all keys.
    :param shares: distribution -> value -> count.
    :param unusual: key, or empty, and comparison of what was unlike the runs before it.
    """

    moment: datetime
    window: str
    totals: Mapping[str, int]
    keys: Mapping[str, Mapping[str, int]]
    has_all_keys: bool
    shares: Mapping[str, Mapping[str, int]]
    unusual: Collection[tuple[str, str]]


def check_id(dag_id: str, task: str) -> str:
    """Return the id of a check's rows: databases limit the length of keys, and many take "a" and "A" for the same."""
    return hashlib.sha256(f"{dag_id}|{task}".encode()).hexdigest()


def stored_key(key: str) -> str:
    """Return a key as it is stored: without what databases refuse, and not longer than 250 characters."""
    clean = key.replace("\0", "\\x00").encode(errors="backslashreplace").decode()
    if len(clean) <= KEY_CHARACTERS:
        return clean
    return f"{clean[: KEY_CHARACTERS - 17]}…{hashlib.sha256(clean.encode()).hexdigest()[:16]}"


def read_counts(text: str) -> dict[str, int] | None:
    """Return the counts of all stages in their stored text; None if they are not known, or are cut."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    return {stage: count for stage, count in found.items() if isinstance(count, int)}
