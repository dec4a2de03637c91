"""The content that every form of the report shares: header, verdict, and which rows are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from airflow_agari_provider.discrepancy.finding import Finding, skip_text
from airflow_agari_provider.discrepancy.history import Earlier
from airflow_agari_provider.discrepancy.stored_run import stored_key
from airflow_agari_provider.discrepancy.table import Cell, DiscrepancyTable

SHOWN_ROWS = 50  # in a mail or a log; people do not read more. The CSV has all rows
NAMED_KEYS = 10  # in a sentence
XCOM_ROWS = 1000  # up to this many rows, the result holds all of them, about 100 kB; otherwise only the shown ones


@dataclass(frozen=True)
class Recheck:
    """
    The first reading found discrepancies, so the counts were read again.

    :param keys: number of discrepant keys in the first reading; None if it is no longer known.
    :param wait: time between the readings.
    """

    keys: int | None
    wait: timedelta

    def __str__(self) -> str:
        did = "Some" if self.keys is None else f"{self.keys:,}"
        return f"{did} did at first; counted again after {self.wait}."


@dataclass(frozen=True)
class DiscrepancyReport:
    """
    The table and the findings of one run, and the texts that describe them.

    :param run: DAG, host and date, such as ``ep_telemetry_v2 on etl-00 completed 2016-02-03 00:00:00``.
    :param title: title of the report, with its environment.
    :param window: the period that was counted, usually a day or an hour.
    :param alarms: how many differences alarm; ``None``: as many as ``findings`` has, which may hold only the largest.
    :param discrepant_keys: how many keys these are of; ``None``: as many as ``findings`` names.
    :param facts: further figures for the header, name -> value.
    :param greeting: first words of the mail; ``None``: it begins with the header.
    :param recheck: the first reading, if the counts were read twice.
    :param earlier: findings of the run before, if they are stored.
    :param log_url: URL of the task's log.
    :param report_url: where the whole table is.
    :param remarks: sentences about the counting itself, for the summary's end.
    """

    table: DiscrepancyTable
    findings: Sequence[Finding]
    run: str
    title: str
    window: str
    alarms: int | None = None
    discrepant_keys: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    greeting: str | None = None
    recheck: Recheck | None = None
    earlier: Earlier | None = None
    log_url: str | None = None
    report_url: str | None = None
    remarks: Sequence[str] = ()

    @cached_property
    def alarming(self) -> list[Finding]:
        """The findings that alarm; the others only warn."""
        return [finding for finding in self.findings if finding.level == "alarm"]

    @property
    def verdict(self) -> str:
        """``high discrepancies``, ``warning`` or ``ok``."""
        return "high discrepancies" if self.alarming else "warning" if self.findings else "ok"

    @property
    def subject(self) -> str:
        """First line of a message: the run, and how it ended."""
        outcomes = {"high discrepancies": "with High Discrepancies", "warning": "with Warnings"}
        return f"{self.run} {outcomes.get(self.verdict, 'successfully')}"

    @property
    def header(self) -> str:
        """Title, window and figures of the run's size."""
        return f"{self.title} {self.window}: " + ", ".join(f"{name} {figure}" for name, figure in self.figures.items())

    @property
    def figures(self) -> dict[str, str]:
        """The facts and the number of messages: those of ``Agg``, otherwise of the first stage."""
        stage = "Agg" if "Agg" in self.table.counts else next(iter(self.table.counts))
        name = {"Msgs": "Messages"}.get(self.table.unit, self.table.unit)
        return {**self.facts, name: str(sum(self.table.counts[stage].values()))}

    @property
    def head(self) -> list[str]:
        """What follows a mail's greeting, line by line: how the run ended, and its figures."""
        return [f"{self.subject}.", *(f"{name}: {figure}" for name, figure in self.figures.items())]

    @property
    def summary(self) -> str:
        """How many keys differ. The sentence is the same if no key does."""
        text = f"{self.discrepant:,} of {len(self.table.keys):,} keys differ by more than allowed."
        sentences = [text, str(self.recheck) if self.recheck else "", self._silent, self._recovered, *self.remarks]
        return " ".join(filter(None, sentences))

    @cached_property
    def finding_lines(self) -> list[str]:
        """The largest findings as text, each with its change since the run before."""
        shown = self.findings[:SHOWN_ROWS]
        if not self.earlier:
            return [str(finding) for finding in shown]
        return [f"{finding}; {self.earlier.status(finding)}" for finding in shown]

    @property
    def is_news(self) -> bool:
        """Whether any finding is new, or larger than in the run before."""
        return any(not self.earlier or self.earlier.is_news(finding) for finding in self.findings)

    @cached_property
    def discrepant(self) -> int:
        """Number of keys that alarm."""
        named = {finding.key for finding in self.alarming if finding.scope == "key"}
        return len(named) if self.discrepant_keys is None else self.discrepant_keys

    @cached_property
    def worst_keys(self) -> list[str]:
        """All keys, in the order in which a reader should see them: by largest finding, then by largest difference."""
        named = dict.fromkeys(finding.key for finding in self.findings if finding.scope != "together" and finding.key)
        rank = {key: place for place, key in enumerate(named)}
        return sorted(self.table.keys, key=lambda key: (rank.get(key, len(rank)), -self._largest_difference(key)))

    @cached_property
    def shown_keys(self) -> list[str]:
        """All keys in their order; if there are more than ``SHOWN_ROWS``, only the worst."""
        return self.table.keys if len(self.table.keys) <= SHOWN_ROWS else self.worst_keys[:SHOWN_ROWS]

    @property
    def left_out(self) -> str:
        """A sentence that says which rows are shown; empty if all are."""
        if len(self.table.keys) <= SHOWN_ROWS:
            return ""
        return f"The {SHOWN_ROWS} rows with the largest loss of {len(self.table.keys):,}; the totals are of all."

    @property
    def skipped(self) -> str:
        """A sentence with the total of each reason to skip messages; empty if skips are not counted."""
        if self.table.skips is None:
            return ""
        return f"Accounted for: {skip_text(self.table.skip_totals)}."

    def result(self, text: str) -> dict[str, Any]:
        """
        Return what the task returns. It is small, and every XCom backend can store its types.

        :param text: the report as plain text.
        """
        table = self.table
        rows: list[list[Cell]] = table.rows(table.keys if len(table.keys) <= XCOM_ROWS else self.shown_keys)
        return {
            "verdict": self.verdict,
            "keys": len(table.keys),
            "discrepant": self.discrepant,
            "columns": table.columns,
            "rows": rows,
            "totals": table.totals,
            "findings": self.finding_lines,
            "skipped": self.table.skip_totals,
            "text": text,
        }

    @property
    def _silent(self) -> str:
        """A sentence about the expected keys without messages; if nothing was counted at all, that is said instead."""
        keys = [] if self.table.is_empty else self.table.silent_keys
        return f"Expected, but silent: {_listed(keys)}." if keys else ""

    @property
    def _recovered(self) -> str:
        gone = self.earlier.recovered(self.findings, self.has_messages) if self.earlier else []
        keys = list(dict.fromkeys(known.key for known in gone if known.key))
        return f"{len(keys):,} recovered: {_listed(keys)}." if keys else ""

    def has_messages(self, stored: str) -> bool:
        """
        Whether any stage has messages of a key.

        :param stored: the key, as the history stores it; empty: any key.
        """
        if not stored:
            return not self.table.is_empty
        return any(self.table.counts_of(stored).values()) or stored in self._keys_stored_otherwise

    @cached_property
    def _keys_stored_otherwise(self) -> set[str]:
        pairs = ((stored_key(key), key) for key in self.table.every_key)
        return {stored for stored, key in pairs if stored != key and any(self.table.counts_of(key).values())}

    def _largest_difference(self, key: str) -> int:
        judged = [each for each in self.table.comparisons if each.judge != "nothing"] or self.table.comparisons
        return max((abs(self.table.difference(key, each)) for each in judged), default=0)


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(keys[:NAMED_KEYS]) + (f", ... ({len(keys):,})" if len(keys) > NAMED_KEYS else "")
