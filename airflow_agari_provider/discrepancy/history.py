"""
What the runs before found and what was told of it, so that a report can tell its news, and an incident its end.

What was told is part of the state: a finding of which a channel was never told is new to that channel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from airflow_agari_provider.discrepancy.comparisons import Tolerance
from airflow_agari_provider.discrepancy.finding import Finding
from airflow_agari_provider.discrepancy.stored_run import EVERY_CHANNEL, Difference, StoredRun, Telling, stored_key

REMEMBERED_RUNS = 24  # a day of hourly windows; a key that has no messages for longer is new when it comes back
GROWTH = Tolerance(percent=25)
BAD = "high discrepancies"  # verdict of a run
LOG = "log"  # the channel that is always told
Identity = tuple[str, str, bool]


@dataclass(frozen=True)
class Earlier:
    """
    What a channel knows of the runs before.

    :param known: the largest difference that it was told since the key recovered last.
    :param growth: how much a difference may exceed that and still be the same.
    """

    known: Mapping[Identity, Difference]
    growth: Tolerance = GROWTH

    def status(self, finding: Finding) -> str:
        """``new``, ``growing from 12``, ``shrinking from 12`` or ``same as before``."""
        known = self.known.get(identity(finding))
        if known is None:
            return "new"
        if known.severity == "warn" and finding.level == "alarm":
            return "new"
        before, now = abs(known.difference), abs(finding.difference)
        if self._exceeds(now, before) and self._share_grew(finding, known):
            return f"growing from {before:,}"
        shrank = self._exceeds(before, now) and self._share_shrank(finding, known)
        return f"shrinking from {before:,}" if shrank else "same as before"

    def is_news(self, finding: Finding) -> bool:
        """Whether a finding is new, or larger than what was told."""
        return self.status(finding).startswith(("new", "growing"))

    def recovered(self, findings: Iterable[Finding], has_messages: Callable[[str], bool]) -> list[Difference]:
        """
        Return what was known and is not found any more, the worst first.

        :param has_messages: whether a key has messages in this run: one without has not recovered.
        """
        found = {identity(finding) for finding in findings}
        gone = [known for of, known in self.known.items() if of not in found and has_messages(known.key)]
        return sorted(gone, key=lambda known: -abs(known.difference))

    def _exceeds(self, larger: int, smaller: int) -> bool:
        """A number of n lost messages varies by about the root of n from run to run, although nothing has changed."""
        return larger - smaller > 2 * sqrt(smaller) and not self.growth.allows(larger - smaller, smaller, smaller)

    def _share_grew(self, finding: Finding, known: Difference) -> bool:
        """A busier hour loses more messages of the same share."""
        return self._is_more(_share(finding), _share(known))

    def _share_shrank(self, finding: Finding, known: Difference) -> bool:
        """A quieter one loses fewer."""
        return self._is_more(_share(known), _share(finding))

    def _is_more(self, share: float | None, than: float | None) -> bool:
        return share is None or than is None or share > than * (1 + float(self.growth.percent) / 100)


@dataclass(frozen=True)
class Past:
    """
    All stored runs of a check, with this one in its place.

    :param runs: the newest first.
    :param run: this one.
    :param accepted: windows whose loss a person has accepted.
    """

    runs: Sequence[StoredRun]
    run: StoredRun
    growth: Tolerance = GROWTH
    accepted: Collection[str] = ()

    def earlier(self, channel: str) -> Earlier | None:
        """Return what a channel knows; ``None`` if there is no earlier run."""
        before = [run for run in self.runs if run.run_at < self.run.run_at][:REMEMBERED_RUNS]
        if not before:
            return None
        known: dict[Identity, Difference] = {}
        recovered: set[Identity] = set()
        for run in before:
            told = channel == LOG or not run.tellings.keys().isdisjoint((channel, EVERY_CHANNEL))
            for each in run.differences:
                of = (each.key, each.comparison, each.difference > 0)
                if of in recovered:
                    continue
                if each.severity == "none":
                    continue
                if each.severity == "recovered":
                    recovered.add(of)
                elif told and (of not in known or abs(each.difference) > abs(known[of].difference)):
                    known[of] = each
        return Earlier(known, self.growth)

    def was_told(self, channel: str, digest: str) -> bool:
        """Whether a channel was told the same of this run by an attempt before."""
        telling = self.run.tellings.get(channel)
        return telling is not None and telling.digest == digest

    @property
    def open_windows(self) -> list[str]:
        """Windows whose last check alarmed and that nobody has accepted, the oldest first."""
        last = last_checks(self.runs)
        return sorted(window for window, run in last.items() if self._is_open(run))

    def repaired(self, channel: str) -> list[StoredRun]:
        """Return the runs that a channel was told of as bad, and whose windows are not open any more."""
        last = last_checks(self.runs)
        return [
            run
            for run in self.runs
            if run.tellings.get(channel, _NOTHING).kind in ("alarm", "known") and not self._is_open(last[run.window])
        ]

    def is_told_open(self, channel: str) -> bool:
        """Whether a channel was told of a bad window, and not yet that it is repaired."""
        return any(run.tellings.get(channel, _NOTHING).kind in ("alarm", "known") for run in self.runs)

    def _is_open(self, run: StoredRun) -> bool:
        return run.verdict == BAD and run.window not in self.accepted


def _share(each: Finding | Difference) -> float | None:
    return abs(each.difference) / each.percent_of if each.percent_of else None


_NOTHING = Telling("", "", 0.0)


def last_checks(runs: Iterable[StoredRun]) -> dict[str, StoredRun]:
    """Return for each window the run that checked it last, which decides how the window stands."""
    return {run.window: run for run in sorted(runs, key=lambda run: run.checked_at)}


def identity(finding: Finding) -> Identity:
    """Return what makes a finding the same as one of another run, as it is stored."""
    return stored_key(finding.key), stored_key(finding.comparison), finding.difference > 0


def named_windows(value: object) -> tuple[str, ...]:
    """Return the windows in a list, or in a text that has one in each line."""
    texts = value.splitlines() if isinstance(value, str) else value if isinstance(value, Iterable) else ()
    return tuple(str(text).strip() for text in texts if str(text).strip())
