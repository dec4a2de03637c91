from __future__ import annotations

import pytest

from airflow_agari_provider.notifications.slack_post import post_to_slack

BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "*3* DLQs"}}]


@pytest.mark.parametrize(
    ("conn_id", "posted"),
    [
        ("slack_hook", {"text": "3 DLQs", "blocks": BLOCKS}),
        ("slack_api", {"channel": "C012AB3CD", "text": "3 DLQs", "blocks": BLOCKS}),
    ],
    ids=["a webhook, which has a fixed channel", "the API, which needs a channel"],
)
def test_one_call_posts_through_either_kind_of_connection(conn_id, posted, alerts):
    post_to_slack(conn_id, "3 DLQs", blocks=BLOCKS, channel="C012AB3CD")
    (message,) = alerts.slack()
    assert message == posted


def test_an_error_of_slack_reaches_the_caller(alerts):
    from slack_sdk.errors import SlackApiError

    alerts.failures = ["channel_not_found"]
    with pytest.raises(SlackApiError, match="channel_not_found"):
        post_to_slack("slack_api", "3 DLQs", channel="C012AB3CD")
