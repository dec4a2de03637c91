"""How a check ends that has found something."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_agari_provider.exceptions import AgariError


class HighDiscrepancies(AgariError):
    """More was lost or duplicated than the tolerances allow."""

    def __init__(self, run: str, findings: int, largest: str, undelivered: Sequence[str]) -> None:
        super().__init__(run, findings, largest, undelivered)
        self.run = run
        self.findings = findings
        self.largest = largest
        self.undelivered = undelivered

    def __str__(self) -> str:
        silent = f" It could not be sent by {' and '.join(self.undelivered)}." if self.undelivered else ""
        return (
            f"{self.run} with High Discrepancies, {self.findings:,} beyond tolerance; the largest: {self.largest}."
            f"{silent} Messages were lost or duplicated at the stage named: repair that and clear the tasks from there"
            " on, or raise the tolerance of keys whose difference is known."
        )


class ReportNotDelivered(AgariError):
    """Discrepancies that only the log knows of."""

    def __init__(self, run: str, channels: Sequence[str]) -> None:
        super().__init__(run, channels)
        self.run = run
        self.channels = channels

    def __str__(self) -> str:
        return (
            f"{self.run} with High Discrepancies, which could not be sent by {' and '.join(self.channels)}: the errors"
            " and the table are in the log above. A retry counts and sends again."
        )
