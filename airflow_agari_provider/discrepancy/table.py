"""The table: one row for each key of any stage, the counts side by side, their differences and percentages."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property

from airflow_agari_provider.discrepancy.comparisons import Comparison
from airflow_agari_provider.discrepancy.counts import WHOLE_NUMBER, in_key_order

Cell = int | float | str

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")  # OWASP, "CSV Injection"


@dataclass(frozen=True)
class DiscrepancyTable:
    """
    Full outer join of the stages' counts: if a stage does not have a key, its count there is 0.

    :param counts: stage name -> key -> count, in the order of the pipeline.
    :param comparisons: differences to show.
    :param notes: key -> text of the last column.
    :param key_name: heading of the first column.
    :param unit: what is counted; it follows the stage's name in the headings.
    """

    counts: Mapping[str, Mapping[str, int]]
    comparisons: Sequence[Comparison]
    notes: Mapping[str, str] = field(default_factory=dict)
    key_name: str = "Org_ID"
    unit: str = "Msgs"

    @cached_property
    def keys(self) -> list[str]:
        """Every key of every stage, in order."""
        return in_key_order({key for counts in self.counts.values() for key in counts})

    @cached_property
    def columns(self) -> list[str]:
        """
        Headings: the key, the stages, the notes.

        A comparison with a percentage comes after its later stage; one without comes before the notes.
        """
        headings = [self.key_name]
        for stage in self.counts:
            headings.append(f"{stage} {self.unit}")
            for comparison in self._after(stage):
                headings += [comparison.name, comparison.percent_heading]
        return [*headings, *(comparison.name for comparison in self._at_the_end), "Notes"]

    def row(self, key: str) -> list[Cell]:
        """Return the cells of one key, in the order of the columns."""
        notes = [self.notes.get(key, ""), _missing_text(self.missing_in(key))]
        return self._cells(key, self.counts_of(key), "; ".join(filter(None, notes)))

    def rows(self, keys: Iterable[str]) -> list[list[Cell]]:
        """Return the rows of the given keys."""
        return [self.row(key) for key in keys]

    @cached_property
    def totals(self) -> list[Cell]:
        """Cells of the last row: the sums, and their differences."""
        return self._cells("Total", {stage: sum(counts.values()) for stage, counts in self.counts.items()}, "")

    def counts_of(self, key: str) -> dict[str, int]:
        """Return the count of one key in each stage."""
        return {stage: counts.get(key, 0) for stage, counts in self.counts.items()}

    def missing_in(self, key: str) -> list[str]:
        """
        Return the judged stages without this key, provided that another judged stage has it.

        A stage that is only shown does not count: it may lack any key.
        """
        counts = {stage: count for stage, count in self.counts_of(key).items() if stage in self._judged_stages}
        return [stage for stage, count in counts.items() if count == 0] if any(counts.values()) else []

    def as_csv(self) -> str:
        """Return all keys as CSV, without totals. An apostrophe keeps a spreadsheet from running text as a formula."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(_csv_field, self.columns))
        writer.writerows(map(_csv_field, self.row(key)) for key in self.keys)
        return text.getvalue()

    @cached_property
    def _judged_stages(self) -> set[str]:
        return {
            stage for comparison in self.comparisons if comparison.judge != "nothing" for stage in comparison.stages
        }

    def _after(self, stage: str) -> list[Comparison]:
        return [comparison for comparison in self.comparisons if comparison.percent_of and comparison.other == stage]

    @property
    def _at_the_end(self) -> list[Comparison]:
        return [comparison for comparison in self.comparisons if not comparison.percent_of]

    def _cells(self, key: str, counts: Mapping[str, int], notes: str) -> list[Cell]:
        cells: list[Cell] = [key]
        for stage, count in counts.items():
            cells.append(count)
            for comparison in self._after(stage):
                difference = counts[comparison.base] - counts[comparison.other]
                cells += [difference, percentage(difference, counts[comparison.percent_of or comparison.base])]
        return [*cells, *(counts[each.base] - counts[each.other] for each in self._at_the_end), notes]


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


def _missing_text(stages: Sequence[str]) -> str:
    return f"missing in {', '.join(stages)}" if stages else ""


def _csv_field(cell: Cell) -> str:
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) and not WHOLE_NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell_text(cell)
