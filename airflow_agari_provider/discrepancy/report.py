"""The content that every form of the report shares: header, verdict, and which rows are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import nlargest
from itertools import accumulate
from typing import Any, TypeVar

from airflow_agari_provider.discrepancy.comparisons import Comparison
from airflow_agari_provider.discrepancy.finding import Finding, skip_text
from airflow_agari_provider.discrepancy.history import Earlier
from airflow_agari_provider.discrepancy.recheck import Recheck
from airflow_agari_provider.discrepancy.stored_run import stored_key
from airflow_agari_provider.discrepancy.table import Cell, DiscrepancyTable, cell_text, percentage, short_text
from airflow_agari_provider.exceptions import cut

Value = TypeVar("Value")

SHOWN_ROWS = 50  # in a mail or a log; people do not read more. The CSV has all rows
LINE_CHARACTERS = 400  # of a finding
SORTED_KEYS = 50_000  # more are not put in order only to show the worst of them
NAMED_KEYS = 10  # in a sentence
# The result may have up to 48 KiB as JSON: MySQL keeps 64 KiB of an XCom. Beyond that, it has the shown rows only.
XCOM_BYTES, XCOM_ROWS, XCOM_TEXT, XCOM_FINDINGS = 47_000, 1000, 8_000, 6_000


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
    :param shares: distribution -> value -> number of messages, for the history.
    :param usual: stage -> from how many to how many messages are usual, for the history.
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
    shares: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    usual: Mapping[str, tuple[int, int]] = field(default_factory=dict)

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
        text = f"{self.discrepant:,} of {len(self.table.every_key):,} keys differ by more than allowed."
        sentences = [text, str(self.recheck) if self.recheck else "", self._silent, self._recovered, *self.remarks]
        return " ".join(filter(None, sentences))

    @cached_property
    def finding_lines(self) -> list[str]:
        """The largest findings as text, each with its change since the run before."""
        return [self._line(finding, str(finding)) for finding in self.findings[:SHOWN_ROWS]]

    @property
    def short_lines(self) -> list[str]:
        """The same without what is allowed, if that is the same for all; see ``allowed``."""
        if not self.allowed:
            return self.finding_lines
        return [self._line(finding, finding.what) for finding in self.findings[:SHOWN_ROWS]]

    @property
    def allowed(self) -> str:
        """What was allowed, as a sentence, if it is the same for all of several findings; otherwise empty."""
        allowed = {finding.allowed for finding in self.findings[:SHOWN_ROWS]}
        (text,) = allowed if len(allowed) == 1 else ("",)
        return f"{text[:1].upper()}{text[1:]}, each." if text and len(self.findings) > 1 else ""

    def _line(self, finding: Finding, text: str) -> str:
        status = f"; {self.earlier.status(finding)}" if self.earlier else ""
        return cut(text, LINE_CHARACTERS, "…") + status

    @cached_property
    def overall(self) -> list[str]:
        """For each step: how many keys lost or gained messages there, and how many messages; then what is unusual."""
        found: dict[tuple[tuple[str, str], bool], dict[str, tuple[int, int]]] = {}
        for finding in self.alarming:
            if finding.difference and not finding.is_unusual:
                of_step = found.setdefault((finding.first_step, finding.difference > 0), {})
                of_step[finding.key or finding.comparison] = (finding.keys, abs(finding.first_difference))
        steps = [self._overall(step, lost, list(each.values())) for (step, lost), each in found.items()]
        unusual = [finding.what for finding in self.alarming if finding.is_unusual and not finding.key]
        return [*steps, *(f"{text[:1].upper()}{text[1:]}" for text in unusual)]

    def _overall(self, step: tuple[str, str], lost: bool, found: Sequence[tuple[int, int]]) -> str:
        keys, messages = sum(number for number, _ in found), sum(number for _, number in found)
        noun = "organisation" if self.table.key_name == "Org_ID" else "key"
        unit = "message" if self.table.unit == "Msgs" else self.table.unit.lower().removesuffix("s")
        share = percentage(messages, sum(self.table.counts[step[0]].values()))
        percent = share if isinstance(share, str) else f"{cell_text(share)} %"
        least = "at least " if self.alarms and self.alarms > len(self.alarming) else ""
        return (
            f"{'Lost' if lost else 'Gained'} between {step[0]} and {step[1]}: {least}{_plural(keys, noun)},"
            f" {_plural(messages, unit)} ({percent})"
        )

    @property
    def is_news(self) -> bool:
        """Whether any finding is new, or larger than in the run before."""
        return any(not self.earlier or self.earlier.is_news(finding) for finding in self.findings)

    @cached_property
    def discrepant(self) -> int:
        """Number of keys that alarm."""
        named = {finding.key for finding in self.alarming if finding.scope == "key"}
        return len(named) if self.discrepant_keys is None else self.discrepant_keys

    def worst(self, number: int) -> list[str]:
        """Return so many keys, in the order in which a reader should see them: by finding, then by difference."""
        rank = {key: place for place, key in enumerate(dict.fromkeys(each.key for each in self.findings if each.key))}
        if len(self.table.every_key) <= SORTED_KEYS:
            keys = self.table.keys
            return sorted(keys, key=lambda key: (rank.get(key, len(rank)), -self._largest_difference(key)))[:number]
        columns = [map(abs, self.table.differences(comparison)) for comparison in self._judged]
        largest = list(map(max, *columns)) if len(columns) > 1 else list(*columns)
        keys = self.table.every_key
        differing = (place for place, difference in enumerate(largest) if difference)
        places = nlargest(number, differing, key=largest.__getitem__)
        return list(dict.fromkeys([*rank, *(keys[place] for place in places), *keys[: number + len(rank)]]))[:number]

    @cached_property
    def shown_keys(self) -> list[str]:
        """All keys in their order; if there are more than ``SHOWN_ROWS``, only the worst."""
        return self.table.keys if len(self.table.every_key) <= SHOWN_ROWS else self.worst(SHOWN_ROWS)

    @property
    def left_out(self) -> str:
        """A sentence that says which rows are shown; empty if all are."""
        if len(self.table.every_key) <= SHOWN_ROWS:
            return ""
        return f"The {SHOWN_ROWS} rows with the largest loss of {len(self.table.every_key):,}; the totals are of all."

    @property
    def whole_table(self) -> str:
        """A sentence that says where the whole table is; empty if it is nowhere."""
        return f"The whole table: {self.report_url}." if self.report_url else ""

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
        result: dict[str, Any] = {
            "verdict": self.verdict,
            "keys": len(table.every_key),
            "discrepant": self.discrepant,
            "columns": table.columns,
            "rows": [],
            "totals": table.totals,
            "findings": _fitting(self.finding_lines, XCOM_FINDINGS),
            "overall": self.overall[:SHOWN_ROWS],
            "skipped": {cut(reason, 60, "…"): count for reason, count in list(table.skip_totals.items())[:SHOWN_ROWS]},
            "report_url": self.report_url,
            "text": _fitting_text(text),
        }
        return {**result, "rows": self._rows_of_result(XCOM_BYTES - len(json.dumps(result)))}

    def _rows_of_result(self, size: int) -> list[list[Cell]]:
        """Return all rows if they fit, otherwise as many of the shown ones as fit."""
        if len(self.table.every_key) <= XCOM_ROWS:
            rows = self.table.shown_rows(self.table.keys)
            if len(fitting := _fitting(rows, size)) == len(rows):
                return fitting
        return _fitting(self.table.shown_rows(self.shown_keys), size)

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

    @cached_property
    def _judged(self) -> Sequence[Comparison]:
        return [each for each in self.table.comparisons if each.judge != "nothing"] or self.table.comparisons

    def _largest_difference(self, key: str) -> int:
        return max((abs(self.table.difference(key, each)) for each in self._judged), default=0)


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _fitting(values: Sequence[Value], size: int) -> list[Value]:
    """Return the first values, as many as have this size together as JSON."""
    sizes = accumulate(len(json.dumps(value)) + 2 for value in values)
    return [value for value, so_far in zip(values, sizes, strict=True) if so_far <= size]


def _fitting_text(text: str) -> str:
    lines = text.splitlines(keepends=True)
    fitting = _fitting(lines, XCOM_TEXT)
    return "".join(fitting) + ("" if len(fitting) == len(lines) else "... The log has the rest.\n")


def _listed(keys: Sequence[str]) -> str:
    more = f", ... ({len(keys):,})" if len(keys) > NAMED_KEYS else ""
    return ", ".join(map(short_text, keys[:NAMED_KEYS])) + more
