"""VictorOps, today Splunk On-Call: its REST endpoint integration."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote, urlsplit

from airflow_agari_provider.airflow_compat import BaseHook, mask_secret
from airflow_agari_provider.alerts.sender import AlertInDoubt, AlertNotSent, AlertPostponed, AlertRefused
from airflow_agari_provider.alerts.victorops_payload import MONITORING_TOOL, checked_message_type
from airflow_agari_provider.exceptions import retrying

logger = logging.getLogger(__name__)

HOST = "https://alert.victorops.com"
PATH = "integrations/generic/20131114/alert"  # REST endpoint integration; help.splunk.com, "REST Endpoint"
PASSING = frozenset({408, 425, 429})  # Request Timeout, Too Early, Too Many Requests: not taken, and may be repeated
_remarked: set[str] = set()  # connections of whose plain http a warning told
FIRST_PAUSE = 1.0  # seconds before the second try; each further pause is twice the one before


class VictorOpsHook(BaseHook):
    """
    Sends alerts to VictorOps, today Splunk On-Call, through the REST endpoint integration.

    The connection (type ``victorops``) has the API key as password, the routing key as ``routing_key`` in the extra,
    and, only if it is not VictorOps' own, the endpoint as host. The API key is part of every URL; no log or error shows
    it.

    :param victorops_conn_id: Airflow connection.
    :param routing_key: replaces the connection's.
    :param timeout: seconds for one request.
    :param retry_for: total seconds to retry on 408, 425 and 429, on 5xx, and while the network is down; 0: no retry.
    """

    conn_name_attr = "victorops_conn_id"
    default_conn_name = "victorops_default"
    conn_type = "victorops"
    hook_name = "VictorOps (Splunk On-Call)"

    def __init__(
        self,
        victorops_conn_id: str = default_conn_name,
        *,
        routing_key: str | None = None,
        timeout: float = 10,
        retry_for: float = 60,
    ) -> None:
        super().__init__()
        self.victorops_conn_id = victorops_conn_id
        self.routing_key = routing_key
        self.timeout = timeout
        self.retry_for = retry_for

    def send(self, message_type: str, entity_id: str, *, state_message: str = "", **fields: Any) -> str:
        """
        Send one alert; return the entity id.

        :param message_type: ``CRITICAL`` opens an incident and pages, ``WARNING`` may do so, ``INFO`` only shows in the
            timeline, ``ACKNOWLEDGEMENT`` acknowledges, ``RECOVERY`` closes.
        :param entity_id: identity of the incident, the same from its opening to its recovery.
        :param fields: ``entity_display_name``, ``state_start_time`` (epoch seconds), and any other fields.
        :raises AlertRefused: wrong API key or routing key, or a body that VictorOps does not accept.
        :raises AlertPostponed: VictorOps did not accept it within ``retry_for``.
        :raises AlertInDoubt: unknown whether VictorOps accepted it within ``retry_for``; a repeat does no harm.
        """
        body = {
            "monitoring_tool": MONITORING_TOOL,
            "state_message": state_message,
            **fields,
            "message_type": checked_message_type(message_type),
            "entity_id": entity_id,
        }
        return self.post(body)

    def post(self, body: dict[str, Any]) -> str:
        """Send a body unchanged; otherwise like :meth:`send`."""
        url = self._url()
        send_again = retrying(
            # the entity id makes a repeat the same incident
            passes=lambda error: isinstance(error, AlertPostponed | AlertInDoubt),
            wait=lambda failed, error: max(FIRST_PAUSE * 2 ** (failed - 1), error.retry_after),
            tell=lambda failed, error, wait: self.log.warning("The alert is sent again in %.0f s. %s", wait, error),
            seconds=self.retry_for,
        )
        send_again(lambda: self._request(url, body))
        self.log.info("VictorOps accepted %s for %s", body["message_type"], body.get("entity_id"))
        return str(body.get("entity_id") or "")

    def test_connection(self) -> tuple[bool, str]:
        """Send INFO, which opens no incident; it shows in the timeline."""
        self.retry_for = 0
        try:
            self.send("INFO", "airflow/connection-test", state_message="Test of an Airflow connection")
        except (AlertNotSent, ValueError) as error:
            return False, str(error)
        return True, "VictorOps accepted an INFO message. It opens no incident, and shows in the timeline."

    def _url(self) -> str:
        connection = self.get_connection(self.victorops_conn_id)
        key = (connection.password or "").strip()
        routing_key = self.routing_key or connection.extra_dejson.get("routing_key")
        if not key or not routing_key:
            missing = "routing key (routing_key in the extra)" if key else "API key (password)"
            raise AlertRefused(
                "VictorOps", f"connection {self.victorops_conn_id} has no {missing}. Add it to the connection."
            )
        mask_secret(key)
        mask_secret(quote(key, safe=""))
        host = connection.host or HOST
        if "://" not in host:
            port = f":{connection.port}" if connection.port else ""
            host = f"{connection.schema or 'https'}://{host}{port}"
        # VictorOps shows the whole URL, with key and routing key at its end, and people paste it
        host, _, pasted = host.partition("/integrations/")
        for part in pasted.split("/")[3:4]:
            mask_secret(part)
        if self._is_plain(host) and self.victorops_conn_id not in _remarked:
            _remarked.add(self.victorops_conn_id)
            logger.warning(
                "Connection %s sends the API key unencrypted, by plain http. Use https.", self.victorops_conn_id
            )
        return f"{host.rstrip('/')}/{PATH}/{quote(key, safe='')}/{quote(str(routing_key), safe='')}"

    @staticmethod
    def _is_plain(host: str) -> bool:
        address = urlsplit(host)
        return address.scheme == "http" and address.hostname not in ("localhost", "127.0.0.1", "::1")

    def _request(self, url: str, body: dict[str, Any]) -> None:
        """Make one request. Errors name the connection, and have no cause: it would show the URL with the API key."""
        import requests

        logging.getLogger("urllib3.connectionpool").addFilter(_names_no_key)
        where = f"connection {self.victorops_conn_id}"
        try:
            # A redirect would send the API key to another server. An auth of our own keeps requests from adding the
            # credentials that .netrc has for the host; without trust_env it would ignore proxies too.
            answer = requests.post(url, json=body, timeout=self.timeout, allow_redirects=False, auth=_unchanged)
        except (ValueError, requests.exceptions.InvalidJSONError) as error:  # requests' InvalidURL, InvalidSchema...
            problem = f"the request cannot be made ({type(error).__name__}, {where})"
            raise AlertRefused("VictorOps", f"{problem}. Check the connection's endpoint, and the fields.") from None
        except requests.RequestException as error:
            said = f"{type(error).__name__}, {where}"
            if _never_connected(error):
                raise AlertPostponed("VictorOps", f"it cannot be reached ({said})") from None
            problem = "no answer in time" if isinstance(error, requests.Timeout) else "no answer"
            raise AlertInDoubt("VictorOps", f"{problem} ({said})") from None
        status, retry_after = answer.status_code, _seconds(answer.headers.get("Retry-After"))
        if status in PASSING:
            raise AlertPostponed("VictorOps", f"it answered {status} ({where})", retry_after)
        if status >= 500:
            raise AlertInDoubt("VictorOps", f"it answered {status} ({where})", retry_after)
        result = _result(answer)
        if status >= 300 or result not in ("success", None):
            hint = " Check the routing key and the API key." if status in (401, 403, 404) else ""
            raise AlertRefused("VictorOps", f"it answered {status} ({where}).{hint}")
        if result is None:
            problem = f"it answered {status} without a result, so a proxy may have answered instead ({where})"
            raise AlertInDoubt("VictorOps", problem)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The form's additional field on Airflow 2.11; for Airflow 3 it is in the provider info."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import StringField

        return {"routing_key": StringField("Routing key", widget=BS3TextFieldWidget())}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """The rest of the form on Airflow 2.11."""
        return {
            "hidden_fields": ["login", "schema", "port", "extra"],
            "relabeling": {"password": "API key", "host": "Endpoint"},
            "placeholders": {"host": HOST, "routing_key": "data-team"},
        }


def _unchanged(request: Any) -> Any:
    return request


def _seconds(retry_after: str | None) -> float:
    """Seconds of a Retry-After header; its other form, a date, is left to the backoff."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0


def _never_connected(error: Exception) -> bool:
    """Whether an error of requests came before there was a connection that could have carried the alert."""
    from requests import ConnectTimeout
    from requests.exceptions import ProxyError, SSLError
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    if isinstance(error, ConnectTimeout | ProxyError | SSLError):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def _result(answer: Any) -> Any:
    try:
        return answer.json().get("result")
    except (ValueError, AttributeError):  # not JSON, or not a JSON object
        return None


def _names_no_key(record: logging.LogRecord) -> bool:
    """Drop such records: urllib3 logs the path of every request on level DEBUG, and the path holds the API key."""
    return PATH not in record.getMessage()
