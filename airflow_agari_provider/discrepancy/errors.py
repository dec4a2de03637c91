"""The errors that end a check with discrepancies."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_agari_provider.exceptions import AgariError


class HighDiscrepancies(AgariError):
    """
    More messages were lost or duplicated than the tolerances allow.

    :param run: the run and its completion, as the report's subject begins.
    :param findings: how many differences are beyond their tolerance.
    :param largest: the largest finding, as text.
    :param undelivered: channels that could not send the report.
    :param only_unusual: nothing was lost between two stages, but something is unlike the runs before.
    """

    def __init__(
        self, run: str, findings: int, largest: str, undelivered: Sequence[str], only_unusual: bool = False
    ) -> None:
        super().__init__(run, findings, largest, undelivered, only_unusual)
        self.run = run
        self.findings = findings
        self.largest = largest
        self.undelivered = undelivered
        self.only_unusual = only_unusual

    def __str__(self) -> str:
        silent = f" The report could not be sent by {' and '.join(self.undelivered)}." if self.undelivered else ""
        if self.only_unusual:
            return (
                f"{self.run} with High Discrepancies, {self.findings:,} unlike the runs before; the largest:"
                f" {self.largest}.{silent} Nothing was lost between the stages, so look at what comes before the stage"
                " named. If this is how it will be from now on, put the window into accepted_windows, or give since."
            )
        return (
            f"{self.run} with High Discrepancies, {self.findings:,} beyond tolerance; the largest: {self.largest}."
            f"{silent} Messages were lost or duplicated at the stage named. Repair that stage and clear its tasks and"
            " all later ones, or raise the tolerance of keys whose difference is known."
        )


class ReportNotDelivered(AgariError):
    """
    There are discrepancies, but the report could not be sent: only the log contains it.

    :param run: the run and its completion, as the report's subject begins.
    :param channels: channels that could not send the report.
    """

    def __init__(self, run: str, channels: Sequence[str]) -> None:
        super().__init__(run, channels)
        self.run = run
        self.channels = channels

    def __str__(self) -> str:
        return (
            f"{self.run} with High Discrepancies, which could not be sent by {' and '.join(self.channels)}: the errors"
            " and the table are in the log above. A retry of this task counts again and sends a new report."
        )
