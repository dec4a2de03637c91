"""The table: one row for each key of any stage, the counts side by side, their differences and percentages."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from itertools import islice, repeat
from operator import sub

from airflow_agari_provider.discrepancy.comparisons import Comparison
from airflow_agari_provider.discrepancy.keys import WHOLE_NUMBER, in_key_order

Cell = int | float | str

ROWS_AT_ONCE = 10_000
SHOWN_CHARACTERS = 60  # of a key or a note in a message
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")  # OWASP, "CSV Injection"


@dataclass(frozen=True)
class DiscrepancyTable:
    """
    Full outer join of the stages' counts: if a stage does not have a key, its count there is 0.

    :param counts: stage name -> key -> count, in the order of the pipeline.
    :param comparisons: differences to show.
    :param skips: reason -> key -> how many messages were skipped for it, in the comparison that is judged by its
        gains; ``None``: not counted.
    :param hidden: stages without a column. The comparisons that read them have none either; they are only judged.
    :param expected_keys: keys that have a row even if no stage has them.
    :param distinct: stage name -> key -> how many of its messages are different ones; only of stages that know.
    :param notes: key -> text of the last column.
    :param key_name: heading of the first column.
    :param unit: what is counted; it follows the stage's name in the headings.
    """

    counts: Mapping[str, Mapping[str, int]]
    comparisons: Sequence[Comparison]
    skips: Mapping[str, Mapping[str, int]] | None = None
    hidden: Collection[str] = ()
    expected_keys: Collection[str] = ()
    distinct: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    key_name: str = "Org_ID"
    unit: str = "Msgs"
    _columns: dict[str, list[int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def every_key(self) -> list[str]:
        """Every key of every stage and of every counted skip, and the expected ones, in no particular order."""
        sources = [*self.counts.values(), self.expected_keys, *(self.skips or {}).values()]
        found = dict.fromkeys(sources[0])
        for source in sources[1:]:  # most have the same keys, and to look a million up is faster than to add them
            found.update(dict.fromkeys([key for key in source if key not in found]))
        return list(found)

    @cached_property
    def keys(self) -> list[str]:
        """The same keys in order: numbers by their value."""
        return in_key_order(self.every_key)

    def column(self, stage: str) -> list[int]:
        """Return the counts of a stage, one for each of ``every_key``; a million of them take 40 ms."""
        if stage not in self._columns:
            self._columns[stage] = list(map(self.counts[stage].get, self.every_key, repeat(0)))
        return self._columns[stage]

    def differences(self, comparison: Comparison) -> list[int]:
        """Return ``base - other``, without the counted skips, for each of ``every_key``."""
        pairs = map(sub, self.column(comparison.base), self.column(comparison.other))
        if not self.balances(comparison):
            return list(pairs)
        return list(map(sub, pairs, map(self._skipped_total, self.every_key)))

    def doubled(self, comparison: Comparison) -> dict[int, int]:
        """
        Return how many messages are in ``other`` more than once that were not so in ``base``, by the key's place.

        Without that, a loss and as many duplicates would cancel out.
        """
        if comparison.other not in self.distinct:
            return {}
        before, after = self._copies(comparison.base), self._copies(comparison.other)
        new = {key: copies - before.get(key, 0) for key, copies in after.items()}
        return {place: new[key] for place, key in enumerate(self.every_key) if new.get(key, 0) > 0}

    def _copies(self, stage: str) -> dict[str, int]:
        return {key: self.counts[stage].get(key, 0) - number for key, number in self.distinct.get(stage, {}).items()}

    @cached_property
    def silent_keys(self) -> list[str]:
        """The expected keys of which no stage has a message."""
        return [key for key in dict.fromkeys(self.expected_keys) if not any(self.counts_of(key).values())]

    @property
    def is_empty(self) -> bool:
        """Whether no judged stage has a message."""
        judged = self._judged_stages or self.counts.keys()
        return not any(any(self.counts[stage].values()) for stage in judged)

    @cached_property
    def columns(self) -> list[str]:
        """
        Headings: the key, the stages, the notes.

        A comparison with a percentage comes after its later stage; one without comes before the notes.
        """
        headings = [self.key_name]
        for stage in self._shown:
            headings.append(f"{stage} {self.unit}")
            for comparison in self._after(stage):
                headings += [comparison.name, comparison.percent_heading]
        return [*headings, *(comparison.name for comparison in self._at_the_end), "Notes"]

    def row(self, key: str) -> list[Cell]:
        """Return the cells of one key, in the order of the columns."""
        notes = [self.notes.get(key, ""), _missing_text(self.missing_in(key))]
        return self._cells(key, self.counts_of(key), "; ".join(filter(None, notes)))

    def csv_text(self, keys: Iterable[str]) -> Iterator[str]:
        """
        Yield the headings, and then the rows of some keys, as CSV without totals, in pieces of many rows.

        An apostrophe keeps a spreadsheet from running text as a formula.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(_csv_field, self.columns))
        rest = iter(keys)
        while some := list(islice(rest, ROWS_AT_ONCE)):
            writer.writerows(map(_csv_field, self.row(key)) for key in some)
            yield text.getvalue()
            text.seek(0)
            text.truncate()
        yield text.getvalue()

    def as_csv(self) -> str:
        """Return all keys as CSV, without totals."""
        return "".join(self.csv_text(self.keys))

    def rows(self, keys: Iterable[str]) -> list[list[Cell]]:
        """Return the rows of the given keys."""
        return [self.row(key) for key in keys]

    def shown_rows(self, keys: Iterable[str]) -> list[list[Cell]]:
        """Return the same rows for people and messages: texts are cut to what a line can show."""
        return [[short_text(each) if isinstance(each, str) else each for each in self.row(key)] for key in keys]

    @cached_property
    def totals(self) -> list[Cell]:
        """Cells of the last row: the sums, and their differences."""
        return self._cells("Total", {stage: sum(counts.values()) for stage, counts in self.counts.items()}, "")

    def counts_of(self, key: str) -> dict[str, int]:
        """Return the count of one key in each stage."""
        return {stage: counts.get(key, 0) for stage, counts in self.counts.items()}

    def skipped(self, key: str) -> dict[str, int]:
        """Return how many messages of a key were skipped for each reason, the most frequent first, without zeros."""
        counts = {reason: counts.get(key, 0) for reason, counts in (self.skips or {}).items()}
        return {reason: count for reason, count in _largest_first(counts) if count}

    @cached_property
    def skip_totals(self) -> dict[str, int]:
        """How many messages of all keys were skipped for each reason, the most frequent first."""
        return dict(_largest_first({reason: sum(counts.values()) for reason, counts in (self.skips or {}).items()}))

    def difference(self, key: str, comparison: Comparison) -> int:
        """Return ``base - other`` of a key, without the counted skips, which account for a part of it."""
        counts = self.counts_of(key)
        skipped = self._skipped_total(key) if self.balances(comparison) else 0
        return counts[comparison.base] - counts[comparison.other] - skipped

    def balances(self, comparison: Comparison) -> bool:
        """Whether this is the comparison that the counted skips must account for exactly."""
        return self.skips is not None and comparison.judge == "gain"

    def missing_in(self, key: str) -> list[str]:
        """
        Return the judged stages without this key, provided that another judged stage has it, or messages were skipped.

        A stage that is only shown does not count: it may lack any key. Neither do the stages after the skipping if all
        messages of the key were skipped.
        """
        counts = {stage: count for stage, count in self.counts_of(key).items() if stage in self._judged_stages}
        skipped = self._skipped_total(key)
        if not any(counts.values()) and not skipped:
            return []
        emptied = {
            stage
            for comparison in self.comparisons
            if self.balances(comparison) and skipped and counts[comparison.base] <= skipped
            for stage in self._from(comparison.other)
        }
        return [stage for stage, count in counts.items() if count == 0 and stage not in emptied]

    @cached_property
    def _judged_stages(self) -> set[str]:
        return {
            stage for comparison in self.comparisons if comparison.judge != "nothing" for stage in comparison.stages
        }

    def _skipped_total(self, key: str) -> int:
        return sum(counts.get(key, 0) for counts in (self.skips or {}).values())

    def _from(self, stage: str) -> list[str]:
        stages = list(self.counts)
        return stages[stages.index(stage) :]

    @cached_property
    def _shown(self) -> list[str]:
        return [stage for stage in self.counts if stage not in self.hidden]

    @cached_property
    def _shown_comparisons(self) -> list[Comparison]:
        return [comparison for comparison in self.comparisons if comparison.stages <= set(self._shown)]

    def _after(self, stage: str) -> list[Comparison]:
        return [each for each in self._shown_comparisons if each.percent_of and each.other == stage]

    @property
    def _at_the_end(self) -> list[Comparison]:
        return [each for each in self._shown_comparisons if not each.percent_of]

    def _cells(self, key: str, counts: Mapping[str, int], notes: str) -> list[Cell]:
        cells: list[Cell] = [str(key)]
        for stage in self._shown:
            cells.append(counts[stage])
            for comparison in self._after(stage):
                difference = counts[comparison.base] - counts[comparison.other]
                cells += [difference, percentage(difference, counts[comparison.percent_of or comparison.base])]
        return [*cells, *(counts[each.base] - counts[each.other] for each in self._at_the_end), notes]


def short_text(text: str) -> str:
    """Return a key or a note as a line can show it: long ones often differ at their end only, so the middle is cut."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[: SHOWN_CHARACTERS - 20]}…{text[-19:]}"


def percentage(difference: int, base: int) -> float | str:
    """
    Return the difference in percent of the base, with one decimal, rounded half away from zero.

    A percentage that would show as 0.0 gets as many decimals as it needs to show its first digit. If there is a
    difference but the base is 0, the result is ``"new"``.
    """
    if difference == 0:
        return 0.0
    if base == 0:
        return "new"
    tenths = (2000 * abs(difference) + base) // (2 * base)
    if tenths:
        return (tenths if difference > 0 else -tenths) / 10
    exact = Decimal(100 * difference) / Decimal(base)
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted()), rounding=ROUND_HALF_UP))


def cell_text(cell: Cell) -> str:
    """Return a cell as the report prints it; a small percentage never uses the notation 4e-05."""
    text = str(cell)
    return format(Decimal(text), "f") if isinstance(cell, float) and "e" in text else text


def _largest_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def _missing_text(stages: Sequence[str]) -> str:
    return f"missing in {', '.join(stages)}" if stages else ""


def _csv_field(cell: Cell) -> str:
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) and not WHOLE_NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell_text(cell)
