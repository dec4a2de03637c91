"""Post to Slack through either of the two kinds of Slack connection."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.airflow_compat import BaseHook


def post_to_slack(
    conn_id: str, text: str, *, blocks: list[dict[str, Any]] | None = None, channel: str | None = None
) -> None:
    """
    Post one message. Errors are those of the Slack provider's hook.

    :param conn_id: a connection of type ``slackwebhook`` (incoming webhook) or ``slack`` (API token).
    :param text: Slack mrkdwn; the caller has escaped ``&``, ``<`` and ``>`` in what is not markup.
    :param blocks: Slack blocks; ``text`` is then what notifications show.
    :param channel: channel to post to; needed with an API token, ignored with a webhook, which has a fixed channel.
    """
    if BaseHook.get_connection(conn_id).conn_type == "slackwebhook":
        from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

        SlackWebhookHook(slack_webhook_conn_id=conn_id).send(text=text, blocks=blocks)
    else:
        from airflow.providers.slack.hooks.slack import SlackHook

        SlackHook(slack_conn_id=conn_id).call(
            "chat.postMessage", json={"channel": channel, "text": text, "blocks": blocks}
        )
