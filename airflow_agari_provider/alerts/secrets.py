"""Find secrets among the arguments of an alert, which Airflow's database would keep and show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Names of what holds a secret itself, instead of a connection id: integration_key, api_token, X-Api-Key, webhook_url...
_NAME = re.compile(
    r"password|passwd|passphrase|secret|token|credential|authorization|cookie|bearer|signature"
    r"|webhook[-_]?(url|uri|endpoint|address)"
    r"|(api|app|application|integration|private|access|auth|service|signing|encryption|license|account|shared|genie|subscription)"
    r"[-_]?key"
    r"|(^|[-_])(pass|pwd|auth|sig|sas|jwt|dsn|pat|pin)$|^(incoming[-_]?)?(web)?hooks?$",
    re.IGNORECASE,
)
_CONNECTION = re.compile(r"conn(ection)?[-_]?id$", re.IGNORECASE)  # which is where a secret belongs
# The values of an Authorization header, private keys, and tokens that their makers gave a prefix to be found by: Slack,
# GitHub, GitLab, Stripe, AWS, Google, JWT, SendGrid, Grafana, Databricks, New Relic, PyPI, Telegram
_TOKEN = re.compile(
    r"^\s*(Basic|Bearer|Token|ApiKey|Api-Token|GenieKey|Splunk|SSWS)\s+[^\s{]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(xox[abeprs]-|xapp-|gh[oprsu]_|github_pat_|glpat-|[rs]k_(live|test)_|whsec_|A[KS]IA[0-9A-Z]{16}\b|AIza|ya29\."
    r"|SG\.[\w-]{16}|glsa_|dapi[0-9a-f]{32}|NRAK-|pypi-AgE|eyJ[\w-]+\.eyJ)[\w-]*"
    r"|\d{8,10}:[\w-]{35}\b"
)
_ADDRESS = re.compile(r"\w+://[^\s\"'<>]+")
# Before the host: a password, or a token in its place
_PASSWORD = re.compile(r"\w+://([^/\s@:]*:[^/\s@{]+|[^/\s@:{]{16,})@")
# Addresses of webhooks, of which only the path is secret: Slack, Teams, Discord, Google Chat, Webex, Telegram, Zapier,
# IFTTT, Healthchecks, PagerDuty, VictorOps; and of chats on a host of one's own, such as Mattermost and Rocket.Chat
_WEBHOOK = re.compile(
    r"\bservices/T\w+/B\w+/\w|hooks\.slack(-gov)?\.com/\w|webhook\.office\.com/\w|\.logic\.azure\.com\b.*/workflows/"
    r"|powerplatform\.com\b.*/workflows/|discord(app)?\.com/api/webhooks/\w|chat\.googleapis\.com/v1/spaces/.*\?"
    r"|webexapis\.com/v1/webhooks/incoming/\w|api\.telegram\.org/bot\w|hooks\.zapier\.com/\w|ifttt\.com/.*/key/\w"
    r"|hc-ping\.com/\w|events\.pagerduty\.com/integration/\w|integrations/generic/\d+/alert/\w"
    r"|hooks?/([\w-]+/)*[A-Za-z0-9]{16,}"
)
_FIELD = re.compile(r"(?:^|[?&;])([\w.-]+)=([^&;\s#]+)")  # of a query, a form or a connection string
_QUERY_NAME = re.compile(r"^(key|code|hash|hmac|auth)$", re.IGNORECASE)  # secret in an address, and not elsewhere
_PART = re.compile(r"[\w:-]{20,}(?![\w.-])")  # of a path or query; with an ending it is the name of a file
_CHANGE = re.compile(r"\d(?=[A-Za-z])|[A-Za-z](?=\d)")
RANDOM_CHANGES = 4  # between letters and digits; random texts have more, and names with a date and a version fewer
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")  # filled in later, from the miss
_PATH = re.compile(r"^/?[\w.-]+(/[\w:.%-]+)+(\?\S*)?$")  # what another argument puts behind a host


def secrets_in(name: str, value: Any) -> Iterator[str]:
    """
    Yield the place of each secret in an argument, such as ``headers['Authorization']``, and never a value.

    A secret is known by its name, or by its form: a token, a password in an address, or an address that nobody can
    guess, as those of webhooks.
    """
    yield from _secrets_in(name, name, value)


def _secrets_in(place: str, name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secrets_in(f"{place}[{key!r}]", str(key), inner)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _secrets_in(f"{place}[{number}]", name, inner)
    elif value not in (None, "") and not isinstance(value, bool):
        if (_is_name(name) and _TEMPLATE.sub("", str(value)).strip()) or _is_secret(value):
            yield place
        elif (inner := _from_json(value)) is not None:
            yield from _secrets_in(place, "", inner)


def _is_name(name: str) -> bool:
    return bool(_NAME.search(name)) and not _CONNECTION.search(name)


def _from_json(value: Any) -> Any:
    """Return the object or list that a text holds, such as the body of a request; ``None`` for any other value."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return None
    return None


def _is_secret(value: Any) -> bool:
    text = _TEMPLATE.sub("", value) if isinstance(value, str) else ""
    if _TOKEN.search(text) or _PASSWORD.search(text) or _WEBHOOK.search(text):
        return True
    if any(_is_name(name) or _QUERY_NAME.match(name) for name, _ in _FIELD.findall(text)):
        return True
    paths = (
        [text]
        if _PATH.match(text)
        else [found.partition("://")[2].partition("/")[2] for found in _ADDRESS.findall(text)]
    )
    return any(_is_random(part) for path in paths for part in _PART.findall(path))


def _is_random(part: str) -> bool:
    return len(_CHANGE.findall(re.sub("[-_:]", "", part))) >= RANDOM_CHANGES
