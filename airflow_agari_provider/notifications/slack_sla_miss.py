"""Send SLA misses to Slack."""

from __future__ import annotations

import http.client
import logging
import re
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.error import URLError

from airflow_agari_provider.airflow_compat import BaseHook
from airflow_agari_provider.alerts.sender import AlertInDoubt, AlertPostponed, AlertRefused, CannotLook
from airflow_agari_provider.alerts.slack_message import slack_message
from airflow_agari_provider.exceptions import require_one_of
from airflow_agari_provider.notifications.sla_miss_notifier import SlaMissNotifier

if TYPE_CHECKING:
    from airflow_agari_provider.alerts.miss import SlaMiss

TIMEOUT = 10  # seconds for one request
CLOCKS_APART = 600  # seconds; a message is found even if this host's clock is ahead of Slack's by this much
LOOKED_THROUGH = 200  # messages; Slack gives some apps at most 15 at a time, and says that there are more
# Errors after which the message may have been posted anyway; API reference, "chat.postMessage", errors
DOUBTFUL = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
ERROR_WORD = re.compile(r"[a-z_]{1,100}")
CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{7,}")
# Errors while a workspace moves to an Enterprise organization; from the same list
PASSING = frozenset({"team_added_to_org", "org_login_required"})
# Slack's client logs addresses on level DEBUG and in errors, and a webhook's address is a secret.
_quiet = logging.getLogger(f"{__name__}.client")
_quiet.setLevel(logging.CRITICAL)


class SlackSlaMissNotifier(SlaMissNotifier):
    """
    Posts an SLA miss to Slack, and a follow-up in its thread when the late task has finished.

    Use it as ``sla_miss_callback`` of Airflow 2.11, in ``AsyncCallback`` of Airflow 3, as any ``on_*_callback``, and in
    ``set_slas(alerts=[...])``.

    :param slack_conn_id: connection of type ``slack`` (API token: threads, and doubtful sends can be looked up) or
        ``slackwebhook``.
    :param channel: channel, with an API token; best its id (``C012AB3CD``), which looking up needs. A webhook has a
        fixed channel.
    :param mentions: whom a miss mentions: ``<!channel>``, ``<@U012AB3CD>``, ``<!subteam^S012>``.
    :param broadcast_recovery: show a follow-up in the channel too, not only in the thread.
    :param when_in_doubt: if it is unknown whether Slack accepted a message, and Slack cannot tell: ``send`` it again,
        marked as possibly doubled, or ``skip`` it.
    """

    name = "Slack"
    safe_to_repeat = False
    needs = ("airflow.providers.slack.hooks.slack", "airflow.providers.slack.hooks.slack_webhook")
    template_fields: Sequence[str] = ("text", "channel", "mentions")

    def __init__(
        self,
        *,
        slack_conn_id: str = "slack_default",
        channel: str | None = None,
        mentions: Sequence[str] = (),
        broadcast_recovery: bool = False,
        when_in_doubt: Literal["send", "skip"] = "send",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_one_of("when_in_doubt", when_in_doubt, ("send", "skip"))
        if isinstance(mentions, str):
            raise TypeError(f"mentions must be a list, such as [{mentions!r}], not one string.")
        self.slack_conn_id = slack_conn_id
        self.channel = channel
        self.mentions = mentions
        self.broadcast_recovery = broadcast_recovery
        self.when_in_doubt = when_in_doubt

    @property
    def repeats_when_in_doubt(self) -> bool:  # type: ignore[override]
        return self.when_in_doubt == "send"

    @property
    def destination(self) -> str:
        return f"Slack {self.slack_conn_id} {self.channel or ''}"

    def send(self, miss: SlaMiss, key: str, in_doubt: bool) -> str:
        """Post one message. Return its channel and time stamp; with a webhook, an empty text."""
        own: Any = self.rendered(miss)
        mentions = own.mentions if miss.event in ("miss", "failure") else ()
        message = slack_message(miss, own.text, mentions, in_doubt)
        return self._post(message, own.channel, key)

    def follow_up(self, miss: SlaMiss, key: str, reference: str) -> str:
        """Post a message in the thread of the first one; with a webhook, a message of its own."""
        own: Any = self.rendered(miss)
        message = slack_message(miss, own.text)
        channel, _, thread = reference.partition(":")
        if thread:
            message |= {"thread_ts": thread, "reply_broadcast": self.broadcast_recovery}
        return self._post(message, channel or own.channel, key)

    def find(self, key: str, since: float, follows: str = "") -> str | None:
        """Look for a message with this key in its metadata: in the channel, or in the thread of what it follows."""
        if self._is_webhook():
            raise CannotLook("an incoming webhook cannot be read")
        known, _, thread = follows.partition(":")
        channel = known or self._channel_id(self.channel)
        query: dict[str, Any] = {"channel": channel, "limit": LOOKED_THROUGH, "include_all_metadata": True}
        query["oldest"] = f"{since - CLOCKS_APART:.6f}"
        # A channel's history has no replies
        method = "conversations.replies" if thread else "conversations.history"
        try:
            answer = self._call(method, params={**query, "ts": thread} if thread else query)
        except (AlertRefused, AlertInDoubt) as error:  # no permission, or no answer
            raise CannotLook(str(error)) from error
        for message in answer.get("messages", []):
            if ((message.get("metadata") or {}).get("event_payload") or {}).get("key") == key:
                return f"{channel}:{message['ts']}"
        if answer.get("has_more"):
            raise CannotLook("the channel has too many newer messages to look through all of them")
        return None

    def _is_webhook(self) -> bool:
        return bool(BaseHook.get_connection(self.slack_conn_id).conn_type == "slackwebhook")

    def _post(self, message: dict[str, Any], channel: str | None, key: str) -> str:
        if self._is_webhook():
            self._send_to_webhook({name: message[name] for name in ("text", "blocks")})
            return ""
        metadata = {"event_type": "airflow_sla_miss", "event_payload": {"key": key}}
        body = {**message, "channel": channel, "metadata": metadata, "unfurl_links": False}
        body["unfurl_media"] = False  # an address of a picture in a name
        answer = self._call("chat.postMessage", json=body)
        return f"{answer['channel']}:{answer['ts']}"

    def _send_to_webhook(self, body: dict[str, Any]) -> None:
        from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

        # The clients' own retries could send a message again that has arrived already.
        hook = SlackWebhookHook(
            slack_webhook_conn_id=self.slack_conn_id, timeout=TIMEOUT, retry_handlers=[], logger=_quiet
        )
        answer = _tried(lambda: hook.client.send_dict(body))
        _check(answer.status_code, answer.headers, answer.body)

    def _call(self, method: str, **request: Any) -> Any:
        from airflow.providers.slack.hooks.slack import SlackHook
        from slack_sdk.errors import SlackApiError

        hook = SlackHook(slack_conn_id=self.slack_conn_id, timeout=TIMEOUT, retry_handlers=[], logger=_quiet)
        try:
            return _tried(lambda: hook.call(method, **request)).data
        except SlackApiError as error:
            answer = error.response
            _check(answer.status_code, answer.headers, str(answer.get("error")))
            raise AssertionError from error  # a successful answer raises no SlackApiError

    def _channel_id(self, channel: str | None) -> str:
        if channel and CHANNEL_ID.fullmatch(channel):
            return channel
        raise CannotLook(f"channel {channel!r} is given by its name, and Slack looks up ids only")


def _tried(request: Callable[[], Any]) -> Any:
    """Make a request. Network errors become ours, without a cause, which would show an address."""
    try:
        return request()
    except http.client.InvalidURL as error:
        raise _unmakeable(error) from None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        said = f"{type(reason).__name__}"
        if isinstance(reason, ConnectionRefusedError | socket.gaierror):  # not even a connection
            raise AlertPostponed("Slack", f"it cannot be reached ({said})") from None
        raise AlertInDoubt("Slack", f"no answer ({said})") from None
    except ValueError as error:
        raise _unmakeable(error) from None


def _unmakeable(error: Exception) -> AlertRefused:
    """The error for a blank or a line break in an address or a token."""
    problem = f"the request cannot be made ({type(error).__name__}). Check the connection's host and password."
    return AlertRefused("Slack", problem)


def _check(status: int, headers: Any, said: str) -> None:
    """Read Slack's answer. :raises AlertNotSent: Slack did not accept the message; see its three kinds."""
    if status == 429 or said in ("ratelimited", "rate_limited"):
        raise AlertPostponed("Slack", "too many messages", _retry_after(headers))
    if said in PASSING:
        raise AlertPostponed("Slack", f"it answered {said}")
    if status >= 500 or said in DOUBTFUL or (status < 300 and "non-JSON" in said):
        raise AlertInDoubt("Slack", f"it answered {status}")
    if status >= 300 or said != "ok":
        word = f": {said}" if ERROR_WORD.fullmatch(said) else ""  # anything else may quote the webhook's address
        raise AlertRefused("Slack", f"it answered {status}{word}")


def _retry_after(headers: Any) -> float:
    value = next((value for name, value in dict(headers).items() if name.lower() == "retry-after"), "0")
    text = str(value[0] if isinstance(value, list) else value)
    return float(text) if text.isdecimal() else 0
