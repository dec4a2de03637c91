"""Send a discrepancy report by mail, Slack and VictorOps; if one channel fails, the rest are still used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_agari_provider.airflow_compat import AirflowException
from airflow_agari_provider.discrepancy.check_history import CheckHistory, digest_of
from airflow_agari_provider.discrepancy.history import Past
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.notifications.victorops_incident import tell_victorops

logger = logging.getLogger(__name__)

MAIL, SLACK, VICTOROPS = "mail", "Slack", "VictorOps"


@dataclass(frozen=True)
class Told:
    """
    One channel's part of a delivery.

    :param send: sends it; ``None``: there is nothing to send, as the channel knows it already.
    :param kind: how it is recorded; see :class:`~airflow_agari_provider.discrepancy.stored_run.Telling`.
    :param run_ats: dates of the runs of which the channel is then told; empty: only this one.
    """

    send: Callable[[], None] | None
    kind: str
    run_ats: Sequence[str] = ()


@dataclass(frozen=True)
class ReportDelivery:
    """
    The channels of a report; the parameters are those of ``DiscrepancyCheckOperator``.

    A channel without an address is not used.

    :param one_incident: the check has one incident, not one for each window.
    """

    email_to: str | Sequence[str] | None
    email_from: str | None
    smtp_conn_id: str
    slack_conn_id: str | None
    slack_channel: str | None
    victorops_conn_id: str | None
    environment: str | None
    one_incident: bool = False

    def send(
        self,
        ti: Any,
        report: DiscrepancyReport,
        text: str,
        history: CheckHistory | None = None,
        past: Past | None = None,
        generation: int = 0,
    ) -> list[str]:
        """
        Send the report to each channel that should get it, and record at once what each was told.

        :param ti: task instance.
        :param text: the report as plain text.
        :param past: what earlier runs found and told; ``None``: it is not known, so every finding is new.
        :param generation: of the task: another one after a person cleared it.
        :return: the channels that failed, each with an error in the log.
        """
        digest = digest_of(report, generation)
        undelivered = []
        for channel, told in self._due(ti, report, text, past, digest):
            try:
                if told.send:
                    told.send()
            except Exception as error:
                expected = isinstance(error, AgariError | AirflowException | OSError)  # its text says it all
                logger.error(
                    "The report could not be sent by %s. %s: %s",
                    channel,
                    type(error).__name__,
                    error,
                    exc_info=not expected,
                )
                undelivered.append(channel)
                continue
            if history and past:
                history.tell(told.run_ats or [past.run.run_at], channel, told.kind, digest)
        return undelivered

    def _due(
        self, ti: Any, report: DiscrepancyReport, text: str, past: Past | None, digest: str
    ) -> Iterable[tuple[str, Told]]:
        """Return who gets what. An attempt does not tell again what the attempt before has told."""
        channels = {
            MAIL: (self.email_to, lambda: Told(lambda: self._send_mail(report, text), "report")),
            SLACK: (self.slack_conn_id, lambda: self._for_slack(report, past)),
            VICTOROPS: (self.victorops_conn_id, lambda: self._for_victorops(ti, report, past)),
        }
        for channel, (address, due) in channels.items():
            if address and not (past and past.was_told(channel, digest)) and (told := due()):
                yield channel, told

    def _for_slack(self, report: DiscrepancyReport, past: Past | None) -> Told | None:
        """Slack hears what is new to it, and when windows of which it was told are repaired."""
        if report.findings:
            report = replace(report, earlier=past.earlier(SLACK) if past else None)
            bad = bool(report.alarming)
            if past and not report.is_news and (past.is_told_open(SLACK) or not bad):
                return Told(None, "known" if bad else "warning")
            return Told(lambda: self._post_to_slack(report), "alarm" if bad else "warning")
        repaired = past.repaired(SLACK) if past else []
        if not (past and repaired):
            return None
        windows = list(dict.fromkeys(run.window for run in repaired))
        return Told(
            lambda: self._post_recovery(report, windows, past.open_windows),
            "recovery",
            [run.run_at for run in repaired],
        )

    def _for_victorops(self, ti: Any, report: DiscrepancyReport, past: Past | None) -> Told | None:
        """
        One incident for the check, as long as any window is bad; without a history, one for each window.

        A further bad window annotates the open incident, or opens a new one if a person has closed it.
        """
        if not self.one_incident:
            return Told(lambda: self._tell_victorops(ti, report, report.window), "alarm")
        if report.alarming:
            bad = past.open_windows if past else []
            return Told(lambda: self._tell_victorops(ti, report, "", bad), "alarm")
        told = past.repaired(VICTOROPS) if past else []
        if not past or not told or past.open_windows:
            return None
        return Told(lambda: self._tell_victorops(ti, report, ""), "recovery", [run.run_at for run in told])

    def _send_mail(self, report: DiscrepancyReport, text: str) -> None:
        from airflow.providers.smtp.hooks.smtp import SmtpHook

        from airflow_agari_provider.discrepancy.report_mail import addresses, mail_report

        recipients = addresses(self.email_to or [])
        with SmtpHook(smtp_conn_id=self.smtp_conn_id) as hook:
            sender = self.email_from or hook.from_email
            if not sender:
                raise AirflowException(
                    f"The mail has no sender. Give email_from, or from_email in the extra of {self.smtp_conn_id}."
                )
            mail = mail_report(report, text, sender, recipients)
            # The hook's own send_email_smtp can send neither a text part nor an attachment that is not a file
            refused = hook._smtp_client.send_message(mail, to_addrs=recipients)
        if refused:  # not all: then it raises
            logger.error("The mail server refused the address(es) %s; the others got the report", ", ".join(refused))
        logger.info("Sent the report to %s", ", ".join(each for each in recipients if each not in refused))

    def _post_to_slack(self, report: DiscrepancyReport) -> None:
        from airflow_agari_provider.discrepancy.report_slack import slack_alert
        from airflow_agari_provider.notifications.slack_post import post_to_slack

        post_to_slack(str(self.slack_conn_id), slack_alert(report), channel=self.slack_channel)

    def _post_recovery(self, report: DiscrepancyReport, repaired: Sequence[str], still_open: Sequence[str]) -> None:
        from airflow_agari_provider.discrepancy.report_slack import slack_recovery
        from airflow_agari_provider.notifications.slack_post import post_to_slack

        text = slack_recovery(report, repaired, still_open)
        post_to_slack(str(self.slack_conn_id), text, channel=self.slack_channel)

    def _tell_victorops(self, ti: Any, report: DiscrepancyReport, window: str, bad: Sequence[str] = ()) -> None:
        """
        :param window: part of the incident's id; empty: one incident for the check.
        :param bad: all windows that are bad.
        """
        windows = [f"Open windows: {', '.join(bad)}"] if len(bad) > 1 else []
        tell_victorops(
            str(self.victorops_conn_id),
            ti,
            found=bool(report.alarming),
            window=window,
            message=report.subject,
            details="\n".join([report.summary, *windows, *report.finding_lines]),
            environment=self.environment,
        )
