"""Find secrets among the arguments of an alert, which Airflow's database would keep and show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Names of what holds a secret itself, instead of a connection id: integration_key, api_token, X-Api-Key, webhook_url...
_NAME = re.compile(
    r"password|passwd|secret|token|credential|authorization|cookie|webhook[-_]?(url|endpoint)"
    r"|(api|integration|private|access|auth)[-_]?key",
    re.IGNORECASE,
)
# The values of an Authorization header, and tokens that their makers gave a prefix to be found by: Slack, GitHub,
# GitLab, Stripe, AWS, Google, JWT
_TOKEN = re.compile(
    r"^\s*(Basic|Bearer|Token|ApiKey|GenieKey)\s+[^\s{]{8,}"
    r"|\b(xox[abeprs]-|gh[opsu]_|github_pat_|glpat-|[rs]k_(live|test)_|AKIA[0-9A-Z]{16}\b|AIza|eyJ[\w-]+\.eyJ)[\w-]*"
)
_ADDRESS = re.compile(r"\w+://[^\s\"'<>]+")
_PASSWORD = re.compile(r"\w+://[^/\s@:]*:[^/\s@{]+@")  # before the host
# Addresses of webhooks of Slack, Teams and Discord, of which only the path is secret
_WEBHOOK = re.compile(r"\bservices/T\w+/B\w+/\w|webhook\.office\.com/\w|discord(app)?\.com/api/webhooks/\w")
_PART = re.compile(r"[\w:-]{20,}(?![\w.-])")  # of a path or query; with an ending it is the name of a file
_CHANGE = re.compile(r"\d(?=[A-Za-z])|[A-Za-z](?=\d)")
RANDOM_CHANGES = 4  # between letters and digits; random texts have more, and names with a date and a version fewer
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")  # filled in later, from the miss
_PATH = re.compile(r"^/?[\w-]+(/[\w:-]+)+$")  # what another argument puts behind a host


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
    elif value not in (None, "") and not isinstance(value, bool) and (_NAME.search(name) or _is_secret(value)):
        yield place


def _is_secret(value: Any) -> bool:
    text = _TEMPLATE.sub("", value) if isinstance(value, str) else ""
    if _TOKEN.search(text) or _PASSWORD.search(text) or _WEBHOOK.search(text):
        return True
    paths = (
        [text]
        if _PATH.match(text)
        else [found.partition("://")[2].partition("/")[2] for found in _ADDRESS.findall(text)]
    )
    return any(_is_random(part) for path in paths for part in _PART.findall(path))


def _is_random(part: str) -> bool:
    return len(_CHANGE.findall(re.sub("[-_:]", "", part))) >= RANDOM_CHANGES
