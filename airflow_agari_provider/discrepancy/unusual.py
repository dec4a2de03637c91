"""What is unusual in a run, compared with the runs before: a volume, a key's volume, or how messages are shared out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_agari_provider.discrepancy.baseline import Baseline
from airflow_agari_provider.discrepancy.distribution import PastShares, kept_buckets, what_moved
from airflow_agari_provider.discrepancy.expected_volume import Band, Expected, Volumes
from airflow_agari_provider.discrepancy.finding import Finding, Level, Scope
from airflow_agari_provider.discrepancy.stored_run import PastRun, stored_key
from airflow_agari_provider.discrepancy.table import DiscrepancyTable, cell_text, percentage, short_text


@dataclass(frozen=True)
class EarlierRuns:
    """
    What the runs before counted.

    :param runs: the oldest first; only those of earlier windows.
    :param moment: the time that this run is about.
    :param accepted: windows that a person has accepted: they teach, although they were unusual.
    """

    runs: Sequence[PastRun]
    moment: datetime
    accepted: Collection[str] = ()

    def teaching(self, name: str, baseline: Baseline, key: str = "") -> Iterator[PastRun]:
        """Yield the runs that were not unusual by the comparison of this name."""
        for run in self.runs:
            if baseline.counts(run.moment) and (
                run.window in self.accepted or (stored_key(key), stored_key(name)) not in run.unusual
            ):
                yield run

    def learning(self, what: str, baseline: Baseline, learnt: int) -> str:
        """Say why nothing is judged yet."""
        runs = f"{learnt:,} of {baseline.learning:,} {baseline.slot_name(self.moment)}"
        if learnt >= baseline.learning:
            runs = "too few runs to know how much it varies"
        return f"{what} is still being learnt, and not judged ({runs})."


def unusual_volumes(
    table: DiscrepancyTable, expected: Sequence[Expected], past: EarlierRuns
) -> tuple[list[Finding], list[str]]:
    """
    Return the stages and keys with an unusual number of messages, and sentences about what cannot be judged yet.

    If the total is unusual and all keys changed alike, no key is named: that all are half as large says no more.
    """
    findings, remarks = [], []
    for each in expected:
        volumes = _volumes(each, past)
        band, total = volumes.band(past.moment), sum(table.column(each.stage))
        if band is None:
            learnt = volumes.learnt(past.moment)
            remarks.append(past.learning(f"The usual volume of {each.stage}", each.baseline, learnt))
        elif not band.holds(total):
            findings.append(_volume(table, each, past, "", total, band))
        share = total / band.usual if band and band.usual and not band.holds(total) else 1.0
        findings += _unusual_keys(table, each, past, share)
    return findings, remarks


def usual_bands(expected: Sequence[Expected], past: EarlierRuns) -> dict[str, tuple[int, int]]:
    """Return from how many to how many messages are usual, of the stages that are judged."""
    bands = {each.stage: _volumes(each, past).band(past.moment) for each in expected}
    return {stage: (band.low, band.high) for stage, band in bands.items() if band}


def _volumes(expected: Expected, past: EarlierRuns) -> Volumes:
    volumes = Volumes(expected)
    for run in past.teaching(expected.name, expected.baseline):
        if stored_key(expected.stage) in run.totals:
            volumes.add(run.moment, run.totals[stored_key(expected.stage)])
    return volumes


def _unusual_keys(table: DiscrepancyTable, expected: Expected, past: EarlierRuns, share: float) -> list[Finding]:
    """:param share: how much of the usual volume came altogether."""
    found, alike, judged = [], 0, 0
    sizes: Counter[str] = Counter()
    for run in past.runs[-expected.baseline.kept_runs :] if expected.keys else ():
        sizes.update({key: counts.get(expected.stage, 0) for key, counts in run.keys.items()})
    now = {stored_key(key): key for key in table.every_key} if sizes else {}
    for key, _ in sizes.most_common(expected.keys):
        volumes, came = Volumes(expected, among=expected.keys), False
        for run in past.teaching(expected.name, expected.baseline, key):
            came = came or key in run.keys  # before a customer came, 0 was not what is usual for it
            if key in run.keys or (came and run.has_all_keys):  # otherwise it is not known, which is not 0
                volumes.add(run.moment, run.keys.get(key, {}).get(expected.stage, 0))
        band, count = volumes.band(past.moment), table.counts[expected.stage].get(now.get(key, key), 0)
        judged += band is not None
        if band and not band.holds(count):
            alike += band.holds(count, share)
            found.append(_volume(table, expected, past, now.get(key, key), count, band))
    return [] if alike == judged else found


def _volume(
    table: DiscrepancyTable, expected: Expected, past: EarlierRuns, key: str, count: int, band: Band
) -> Finding:
    percent = percentage(band.usual - count, band.usual)
    change = (
        percent if isinstance(percent, str) else f"{cell_text(abs(percent))} % {'fewer' if percent > 0 else 'more'}"
    )
    unit = "messages" if table.unit == "Msgs" else table.unit
    runs = f"{band.runs} {expected.baseline.slot_name(past.moment)}"
    name = f"{short_text(key)}: " if key else ""
    return _finding(
        f"{name}{count:,} {unit} in {expected.stage}, where {band.usual:,} are usual ({change})",
        limit=f"from {band.low:,} to {band.high:,} are usual, by {runs}",
        key=key,
        name=expected.name,
        stage=expected.stage,
        difference=band.usual - count,
        whole=band.usual,
        level=expected.level,
        scope="volume",
    )


def unusual_shares(
    distributions: Mapping[str, tuple[Mapping[str, object], Mapping[str, int]]], past: EarlierRuns
) -> tuple[list[Finding], list[str]]:
    """
    Return the distributions that are not as usual, and sentences about what cannot be judged yet.

    :param distributions: by name: the ``Distribution``, and its counts in this run.
    """
    findings, remarks = [], []
    for name, (settings, found) in distributions.items():
        baseline = Baseline(**settings["baseline"])  # type: ignore[arg-type]
        counts, shares = kept_buckets(found), PastShares(baseline)
        title = f"Distribution {name}"
        for run in past.teaching(title, baseline):
            shares.add(run.moment, run.shares.get(stored_key(name), {}))
        distances = shares.distances(past.moment, counts)
        if distances is None:
            if counts:
                remarks.append(past.learning(f"The distribution {name}", baseline, shares.learnt(past.moment)))
            continue
        floor = float(str(settings["floor"]))
        if distances.moved > floor and distances.divergence > distances.allowed:
            messages = sum(counts.values())
            runs = f"{distances.runs} {baseline.slot_name(past.moment)}"
            findings.append(
                _finding(
                    f"{name} is shared out otherwise than usual, {distances.moved:.1f} % of the messages have moved:"
                    f" {what_moved(counts, distances.usual)}",
                    limit=f"divergence {distances.divergence:.4f}, usual is up to {distances.allowed:.4f}, by {runs}",
                    key="",
                    name=title,
                    stage=name,
                    difference=max(1, round(distances.moved * messages / 100)),
                    whole=messages,
                    level="warn" if settings["level"] == "warn" else "alarm",
                    scope="shares",
                )
            )
    return findings, remarks


def _finding(
    told: str, *, limit: str, key: str, name: str, stage: str, difference: int, whole: int, level: Level, scope: Scope
) -> Finding:
    return Finding(
        key=key,
        comparison=name,
        base="usual",
        other=stage,
        difference=difference,
        percent=percentage(difference, whole),
        first_step=("usual", stage),
        first_difference=difference,
        limit=limit,
        level=level,
        scope=scope,
        percent_of=whole,
        told=told,
    )
