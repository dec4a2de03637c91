"""Which alerts an SLA has: the same for all, or by owner, tag or task, or as a function says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from airflow_agari_provider.airflow_compat import BaseNotifier
from airflow_agari_provider.slas.arguments import DAG_RUN, check_alerts
from airflow_agari_provider.slas.sla_alert import SlaAlert, sender_of

Alerts = Sequence[BaseNotifier | SlaAlert]
KINDS = ("owner", "tag", "task")


@dataclass(frozen=True)
class Route:
    """
    The alerts of one SLA or of several.

    :param specifications: of each alert, for JSON.
    :param destinations: names of the places that they go to.
    """

    alerts: Sequence[SlaAlert]
    specifications: Sequence[dict[str, Any]]
    destinations: frozenset[str]


def routes_of(
    dag: Any, names: Iterable[str], alerts: Alerts | Mapping[str, Alerts] | Callable[[str], Alerts], claims: str | None
) -> dict[str, Route]:
    """
    Return the route of each SLA; those with the same alerts share one.

    :raises ValueError: alerts that cannot be; see :func:`alerts_for`.
    """
    shared: dict[tuple[int, ...], tuple[list[SlaAlert], Route]] = {}
    routes = {}
    for name in names:
        found = alerts_for(dag, name, alerts)
        which = tuple(id(one.notifier) for one in found)
        known, route = shared.get(which, ([], None))
        if route is None or known != found:
            route = _route(dag, found, claims)
            shared[which] = found, route  # which keeps the notifiers, so that no other has their ids
        routes[name] = route
    return routes


def _route(dag: Any, alerts: list[SlaAlert], claims: str | None) -> Route:
    specifications = [alert.specification() for alert in alerts]
    places = [str(sender_of(one).destination) for one in specifications]
    check_alerts(dag, alerts, places, claims)
    return Route(alerts, specifications, frozenset(places))


def alerts_for(dag: Any, name: str, alerts: Alerts | Mapping[str, Alerts] | Callable[[str], Alerts]) -> list[SlaAlert]:
    """
    Return the alerts of one SLA.

    :param name: task id, or ``DAG_RUN``.
    :param alerts: as in :func:`~airflow_agari_provider.slas.set_slas.set_slas`.
    :raises ValueError: a key of a mapping is wrong, or none fits.
    :raises TypeError: what was found for it is no list of alerts.
    """
    if isinstance(alerts, Mapping):
        found = _routed(dag, name, alerts)
    else:
        found = alerts(name) if callable(alerts) and not isinstance(alerts, BaseNotifier) else alerts
    return [_alert(dag, name, one) for one in _listed(dag, name, found)]


def _routed(dag: Any, name: str, alerts: Mapping[str, Alerts]) -> Alerts:
    for key in alerts:
        kind, _, pattern = key.partition(":")
        if key != "*" and not (kind in KINDS and pattern):
            raise ValueError(
                f"{dag.dag_id}: alerts has the key {key!r}. Write 'owner:<name>', 'tag:<name>', 'task:<id>' or '*' for "
                "all others; names may have * and ?."
            )
    named = {"owner": _owners(dag, name), "tag": set(dag.tags or ()), "task": {name}}
    for key, found in alerts.items():
        kind, _, pattern = key.partition(":")
        if key != "*" and any(fnmatchcase(one, pattern) for one in named[kind]):
            return found
    if "*" not in alerts:
        raise ValueError(
            f"{dag.dag_id}: no key of alerts fits {'the run' if name == DAG_RUN else name} "
            f"(owner {', '.join(sorted(named['owner']))}), so nobody would be told. Add '*' for all others."
        )
    return alerts["*"]


def _owners(dag: Any, name: str) -> Collection[str]:
    """Return the owners of a task, or of the whole run; Airflow has several in one text."""
    tasks = dag.tasks if name == DAG_RUN else [dag.get_task(name)]
    return {owner.strip() for task in tasks for owner in task.owner.split(",")}


def _listed(dag: Any, name: str, found: Any) -> Sequence[Any]:
    if isinstance(found, Sequence) and not isinstance(found, str):
        return found
    raise TypeError(f"{dag.dag_id}: the alerts of {name} must be a list of notifiers, not {found!r}.")


def _alert(dag: Any, name: str, one: Any) -> SlaAlert:
    if isinstance(one, SlaAlert):
        return one
    if isinstance(one, BaseNotifier):
        return SlaAlert(one)
    raise TypeError(f"{dag.dag_id}: an alert of {name} must be a notifier or an SlaAlert, not {one!r}.")
