"""Send a discrepancy report by mail, Slack and VictorOps; if one channel fails, the rest are still used."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.airflow_compat import AirflowException
from airflow_agari_provider.alerts.sender import AlertNotSent
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.notifications.victorops_incident import tell_victorops

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReportDelivery:
    """
    The channels of a report; the parameters are those of ``DiscrepancyCheckOperator``.

    A channel without an address is not used.
    """

    email_to: str | Sequence[str] | None
    email_from: str | None
    smtp_conn_id: str
    slack_conn_id: str | None
    slack_channel: str | None
    victorops_conn_id: str | None
    environment: str | None

    def send(self, ti: Any, report: DiscrepancyReport, text: str) -> list[str]:
        """
        Send the report to each channel that should get it.

        :param ti: task instance.
        :param text: the report as plain text.
        :return: the channels that failed, each with an error in the log.
        """
        from slack_sdk.errors import SlackClientError

        channels: dict[str, Callable[[], None]] = {}
        if self.email_to:
            channels["mail"] = lambda: self._send_mail(report, text)
        if self.slack_conn_id and report.is_news:
            channels["Slack"] = lambda: self._post_to_slack(report)
        if self.victorops_conn_id and (report.is_news or not report.findings):
            channels["VictorOps"] = lambda: self._tell_victorops(ti, report)
        undelivered = []
        for channel, send in channels.items():
            try:
                send()
            # no server, no permission, or no such connection; SMTP errors are OSErrors
            except (OSError, http.client.HTTPException, AirflowException, SlackClientError, AlertNotSent) as error:
                logger.error("The report could not be sent by %s. %s: %s", channel, type(error).__name__, error)
                undelivered.append(channel)
        return undelivered

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
            # The hook's own send_email_smtp can send neither a text part nor an attachment that is not a file
            hook._smtp_client.send_message(mail_report(report, text, sender, recipients), to_addrs=recipients)
        logger.info("Sent the report to %s", ", ".join(recipients))

    def _post_to_slack(self, report: DiscrepancyReport) -> None:
        from airflow_agari_provider.discrepancy.report_slack import slack_alert
        from airflow_agari_provider.notifications.slack_post import post_to_slack

        assert self.slack_conn_id is not None
        post_to_slack(self.slack_conn_id, slack_alert(report), channel=self.slack_channel)

    def _tell_victorops(self, ti: Any, report: DiscrepancyReport) -> None:
        tell_victorops(
            str(self.victorops_conn_id),
            ti,
            found=bool(report.findings),
            window=report.window,
            message=report.subject,
            details="\n".join([report.summary, *report.finding_lines]),
            environment=self.environment,
        )
