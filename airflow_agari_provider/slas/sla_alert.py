"""An alert as a DAG file writes it, as JSON between processes, and as the sender that sends it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from importlib import import_module
from typing import Any

from airflow_agari_provider.airflow_compat import BaseNotifier
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.secrets import secrets_in
from airflow_agari_provider.alerts.sender import AlertInDoubt, AlertSender, CannotLook
from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.notifications.sla_miss_notifier import SlaMissNotifier

# An error may quote only scheme and host of an address: the path or query may be a webhook's secret
_ADDRESS = re.compile(r"(\w+://)(?:[^\s/@]*@)?([^\s/?#]*)\S*")
_PATH = re.compile(r"(?<![:/\w])/\S+|\?\S+")


@dataclass(frozen=True)
class SlaAlert:
    """
    An alert, and when it is sent; a notifier alone is an alert at the SLA.

    :param notifier: one of this package's, or any other Airflow notifier whose arguments are JSON, and whose attributes
        tell with which arguments it was made. ``sla_miss`` is in its templates' context.
    :param after: time after the SLA, for a step of an escalation.
    :param recovery: notifier that is called when the late task has finished; this package's notifiers need none.
    :param fallback: notifier that is used instead if the alert is refused, or cannot be sent for an hour.
    """

    notifier: BaseNotifier
    after: timedelta = timedelta(0)
    recovery: BaseNotifier | None = None
    fallback: BaseNotifier | None = None

    def specification(self) -> dict[str, Any]:
        """Return the alert as a dict for JSON."""
        return {
            "after": self.after.total_seconds(),
            "notifier": _specification(self.notifier),
            "recovery": _specification(self.recovery) if self.recovery else None,
            "fallback": _specification(self.fallback) if self.fallback else None,
        }


def sender_of(specification: Mapping[str, Any]) -> AlertSender:
    """Return what sends an alert, made from its specification."""
    notifier = _notifier(specification["notifier"])
    if isinstance(notifier, SlaMissNotifier):
        return notifier  # type: ignore[return-value]  # its children are senders
    recovery = specification.get("recovery")
    digest = sha256(json.dumps(specification["notifier"], sort_keys=True).encode()).hexdigest()[:8]
    return _NotifierSender(notifier, _notifier(recovery) if recovery else None, digest)


def follows_up(specification: Mapping[str, Any]) -> bool:
    """Whether the alert has a recovery, which reports that the late task or run has finished."""
    return bool(specification.get("recovery")) or isinstance(_notifier(specification["notifier"]), SlaMissNotifier)


class _NotifierSender:
    """Any notifier of Airflow. It may raise any error, and cannot be asked whether it sent anything."""

    repeats_when_in_doubt = True
    safe_to_repeat = False
    most_failures = 5.0  # each of them may have sent something before it failed

    def __init__(self, notifier: BaseNotifier, recovery: BaseNotifier | None, digest: str) -> None:
        self._notifier = notifier
        self._recovery = recovery
        self.name = type(notifier).__name__
        self.destination = f"{self.name} {digest}"

    def send(self, miss: SlaMiss, key: str, in_doubt: bool) -> str:
        self._notify(self._notifier, miss)
        return ""

    def find(self, key: str, since: float, follows: str = "") -> str | None:
        raise CannotLook(f"{self.name} cannot be asked whether it sent anything")

    def follow_up(self, miss: SlaMiss, key: str, reference: str) -> str:
        notifier = self._notifier if miss.is_open else self._recovery
        if notifier:
            self._notify(notifier, miss)
        return ""

    def _notify(self, notifier: BaseNotifier, miss: SlaMiss) -> None:
        fresh = copy(notifier)  # rendering overwrites the templates
        context: Any = {"sla_miss": miss, "dag": None}
        try:
            fresh.render_template_fields(context)
            fresh.notify(context)
        except Exception as error:  # noqa: BLE001 - foreign code, which may raise any error
            raise AlertInDoubt(
                self.name, f"{type(error).__name__}: {cut(_without_addresses(str(error)), 200)}"
            ) from None


def _without_addresses(text: str) -> str:
    return _PATH.sub("…", _ADDRESS.sub(r"\1\2", text))


def _check_templates(notifier: BaseNotifier) -> None:
    """:raises ValueError: a template that could never be rendered."""
    from jinja2 import Environment, TemplateSyntaxError

    for name in notifier.template_fields:
        value = getattr(notifier, name, None)
        try:
            Environment().parse(value if isinstance(value, str) else "")  # noqa: S701 - nothing is rendered
        except TemplateSyntaxError as error:
            raise ValueError(f"{type(notifier).__name__}({name}=...) is not a valid template: {error}.") from error


def _specification(notifier: BaseNotifier) -> dict[str, Any]:
    """
    Return a notifier's class and the arguments that made it.

    :raises ValueError: it cannot be made again from JSON, holds a secret, or a template is not valid.
    """
    cls = type(notifier)
    if "<locals>" in cls.__qualname__ or cls.__module__.startswith("unusual_prefix_"):
        raise ValueError(
            f"{cls.__name__} must be in an installed package: other processes cannot import it from a DAG file."
        )
    _check_templates(notifier)
    arguments = {}
    not_kept = []
    for parameter in _parameters(cls):
        if not hasattr(notifier, parameter.name):
            not_kept.append(parameter.name)
            continue
        value = getattr(notifier, parameter.name)
        if value is None or value == parameter.default:
            continue
        if place := next(secrets_in(parameter.name, value), None):
            raise ValueError(
                f"{cls.__name__}({place}=...) may be a secret, and would be stored in Airflow's database. "
                "Put it into a connection, and give the notifier the connection's id."
            )
        arguments[parameter.name] = value
    try:
        json.dumps(arguments)
    except TypeError as error:
        raise ValueError(f"Arguments of {cls.__name__} must be JSON, and are not: {error}.") from error
    if not_kept and not _is_made_by(notifier, arguments):
        names = ", ".join(map(repr, not_kept))
        raise ValueError(
            f"{cls.__name__} does not keep what it was given for {names} as an attribute, so it cannot be made again "
            "in another process, and cannot be an alert. Leave that out, or give its value by another argument."
        )
    return {"path": f"{cls.__module__}:{cls.__qualname__}", "arguments": arguments}


def _is_made_by(notifier: BaseNotifier, arguments: Mapping[str, Any]) -> bool:
    """
    Whether these arguments alone make an equal notifier.

    So an argument that is not kept does no harm if it was left out, or if another attribute has its effect:
    ``SmtpNotifier(template=...)`` keeps the text of the file as ``html_content``.
    """
    try:
        return bool(vars(type(notifier)(**arguments)) == vars(notifier))
    except Exception:  # noqa: BLE001 - foreign code, which may raise any error
        return False


def _parameters(cls: type) -> Iterator[inspect.Parameter]:
    """Parameters of a class's constructor, with those of its base classes that it passes on."""
    for ancestor in cls.__mro__:
        if ancestor is BaseNotifier:
            return
        if "__init__" not in vars(ancestor):
            continue
        parameters = list(inspect.signature(vars(ancestor)["__init__"]).parameters.values())[1:]
        yield from (parameter for parameter in parameters if parameter.kind not in _COLLECTING)
        if not any(parameter.kind is _KEYWORDS for parameter in parameters):
            return


def import_needs(path: str) -> None:
    """Import a notifier's class, and what it imports when it sends. :param path: as in its specification."""
    for module in getattr(_class(path), "needs", ()):
        import_module(module)


def _notifier(specification: Mapping[str, Any]) -> BaseNotifier:
    return _class(specification["path"])(**specification["arguments"])


def _class(path: str) -> Any:
    module, _, name = path.partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


_KEYWORDS = inspect.Parameter.VAR_KEYWORD
_COLLECTING = (inspect.Parameter.VAR_POSITIONAL, _KEYWORDS)
