"""Look later at what was reported: send what nobody has sent, and close what is over."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow_agari_provider.airflow_compat import Stats
from airflow_agari_provider.airflow_runs import link
from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.delivery import Delivery
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.open_claims import OpenClaim, OpenClaims, ids_of
from airflow_agari_provider.alerts.silence_table import SilenceTable
from airflow_agari_provider.alerts.sla import Run, Watch, miss_of, recovery_of
from airflow_agari_provider.alerts.sla_payload import from_row, unpacked
from airflow_agari_provider.alerts.sweeper import RunAsItIs, Runs, Verdict, unanswered, verdict
from airflow_agari_provider.alerts.threads import Patience
from airflow_agari_provider.slas.claiming import about, claims_of, key_of
from airflow_agari_provider.slas.dispatch import Dispatch
from airflow_agari_provider.slas.follow_up import tell_failure, tell_recovery
from airflow_agari_provider.slas.silencing import quiet_now
from airflow_agari_provider.slas.sla_alert import sender_of

logger = logging.getLogger(__name__)

DAY = 86400.0
ANSWERS_WITHIN = 60.0  # seconds for one use of the database; no task waits for it
# An open alert is given up before its row may be pruned.
LEAST_KEPT = 2.0


@dataclass
class Swept:
    """What a sweep did. Each figure counts alerts, except ``pruned``, which counts rows."""

    open: int = 0
    recovered: int = 0
    failed: int = 0
    sent: int = 0
    given_up: int = 0
    unknown: int = 0
    left: int = 0
    pruned: int = 0

    @property
    def text(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in asdict(self).items())


@dataclass(frozen=True)
class _Miss:
    """The rows of one miss, of all its steps and destinations."""

    watch: Watch
    run: Run
    rows: tuple[OpenClaim, ...]


def sweep(
    claims: str,
    runs: Runs,
    *,
    give_up_days: float,
    keep_days: float,
    seconds: float = 240.0,
) -> Swept:
    """
    Look at each open alert, and send what is left to tell.

    Several processes may sweep at once, beside those that watch the tasks: claims decide who sends.

    :param claims: ``sql:<conn_id>``.
    :param runs: how to ask Airflow.
    :param give_up_days: days after which an alert that is still open is given up.
    :param keep_days: days after which a row is deleted.
    :param seconds: no further run is looked at after this time; the next sweep begins with those that are left.
    :raises ClaimsUnavailable: the claims cannot be used.
    :raises ValueError: rows would be deleted before their alert is given up, or a number of days is below zero.
    """
    if not 0 <= give_up_days <= keep_days - LEAST_KEPT < math.inf:  # nor is one of them NaN
        raise ValueError(
            f"Rows are deleted after {keep_days:g} days, and open alerts are given up after {give_up_days:g}. Keep "
            f"rows for at least {LEAST_KEPT:g} days longer; neither number is below zero."
        )
    table = claims_of(claims, Patience(ANSWERS_WITHIN, 0))
    assert table is not None
    sweeping = _Sweeping(claims, table, runs, give_up_days * DAY)
    swept = sweeping.sweep(time.time() + seconds)
    before = time.time() - keep_days * DAY
    swept.pruned = sweeping.open_claims.prune(before) + SilenceTable(table.database).prune(before)
    sweeping.open_claims.bring_up_to_date()
    logger.info("Swept the alerts: %s", swept.text)
    return swept


class _Sweeping:
    def __init__(self, claims: str, table: ClaimTable, runs: Runs, give_up_after: float) -> None:
        self._claims, self._table, self._runs, self._give_up_after = claims, table, runs, give_up_after
        self.open_claims = OpenClaims(table.database)
        self._asked: dict[tuple[Any, ...], RunAsItIs | Exception | None] = {}

    def sweep(self, give_up: float) -> Swept:
        swept, looked_at = Swept(), set()
        for miss in _misses(self.open_claims.open(), self._claims):
            ids = {row.id for row in miss.rows}
            swept.open += len(ids)
            if time.time() >= give_up:
                swept.left += len(ids)
                continue
            try:
                self._look(miss, swept)
            except Exception:  # whatever is wrong with one must not keep others from being told
                logger.exception("The alerts of %s could not be looked at", miss.run.run_id)
                swept.unknown += len(ids)
            looked_at |= ids
        self.open_claims.mark_swept(looked_at, time.time())
        return swept

    def _look(self, miss: _Miss, swept: Swept) -> None:
        now = time.time()
        found = self._run(miss)
        by_verdict: dict[Verdict, list[OpenClaim]] = {}
        for row in miss.rows:
            if isinstance(found, Exception):
                decided = unanswered(row, now, self._give_up_after)
                swept.unknown += decided == "wait"
            else:
                decided = verdict(row, miss.watch, found, now, self._give_up_after)
            by_verdict.setdefault(decided, []).append(row)
        if rows := by_verdict.get("given up"):
            swept.given_up += len(rows)
            self._give_up(miss, rows, now)
        if isinstance(found, Exception):
            return
        if any(one in by_verdict for one in ("recovered", "deleted", "unsent")):
            swept.recovered += len(by_verdict.get("recovered", ())) + len(by_verdict.get("deleted", ()))
            self._recover(miss, found, by_verdict, now)
        if found is not None and (rows := by_verdict.get("failed")):
            swept.failed += len(rows)
            self._tell_failure(miss, found, rows, now)
        if found is not None:
            for row in by_verdict.get("send", ()):
                swept.sent += self._send(miss, found, row, now)

    def _run(self, miss: _Miss) -> RunAsItIs | Exception | None:
        """Ask Airflow, once for all SLAs of a run."""
        which = (miss.run.dag_id, miss.run.run_id)
        if which not in self._asked:
            try:
                self._asked[which] = self._runs(*which, miss.watch.mapped, miss.watch.lookalikes)
            except Exception as error:  # noqa: BLE001 - of a supervisor, an API or a database
                logger.warning(
                    "Airflow did not tell how %s stands. %s: %s", miss.run.run_id, type(error).__name__, error
                )
                self._asked[which] = error
        return self._asked[which]

    def _recover(
        self, miss: _Miss, found: RunAsItIs | None, by_verdict: Mapping[Verdict, list[OpenClaim]], now: float
    ) -> None:
        """Tell that it is over, to those who were told."""
        told = [*by_verdict.get("recovered", ()), *by_verdict.get("deleted", ())]
        for row in told:
            if row.state != "sent":  # finds out whether it was, and records that
                self._delivery(miss, row).attempt(None, now)
        ended = found.ended_of(miss.watch.task_id) if found else None
        at, due = ended or datetime.fromtimestamp(now, UTC), _due(miss)
        recovery = recovery_of(miss.watch, miss.run, due if ended and due < ended else None, at, link)
        if found is None:
            recovery = replace(recovery, standing="deleted")
        tell_recovery(miss.watch, miss.run, at, due, 0, self._runs, recovery)
        unsent = {row.id for row in by_verdict.get("unsent", ())}
        self.open_claims.close(unsent, now, "recovered" if found else "deleted")

    def _tell_failure(self, miss: _Miss, found: RunAsItIs, rows: Iterable[OpenClaim], now: float) -> None:
        if (observed := self._observed(miss, found, now)) is None:
            return
        if tell_failure(miss.watch, miss.run, replace(observed, event="failed since"), 0):
            self.open_claims.mark_failed({row.id for row in rows}, now)

    def _send(self, miss: _Miss, found: RunAsItIs, row: OpenClaim, now: float) -> bool:
        """Send what was never told, because its sender died or it was silenced; unless its fallback was told."""
        delivery = self._delivery(miss, row)
        alert, is_main = self._alert(miss, row)
        fallback = ids_of([f"{delivery.key}|fallback"])
        if is_main and any(other.id in fallback and other.state == "sent" for other in miss.rows):
            return False
        quiet = partial(quiet_now, miss.watch, miss.run, self._table)
        dispatch = Dispatch([(delivery, alert["fallback"] if is_main else None)], now, quiet)
        dispatch.attempt(self._observed(miss, found, now), now)
        return delivery.outcome in ("sent", "found sent")

    def _observed(self, miss: _Miss, found: RunAsItIs, now: float) -> SlaMiss | None:
        watch, tasks = unpacked(miss.watch, found.tasks)
        at = datetime.fromtimestamp(now, UTC)
        return miss_of(watch, miss.run, found.state, tasks, _due(miss), at, link, lambda: ())

    def _give_up(self, miss: _Miss, rows: Iterable[OpenClaim], now: float) -> None:
        for row in rows:
            logger.error(
                "The alert of %s in %s to %s is given up: it is still open %.0f days after it was first claimed. Close "
                "its incident by hand, if there is one.",
                miss.watch.task_id or "the run",
                miss.run.run_id,
                row.destination,
                (now - row.first_at) / DAY,
            )
            Stats.incr("agari.alerts.given_up", tags={"service": row.destination.split(" ")[0]})
        self.open_claims.close({row.id for row in rows}, now, "given up")

    def _alert(self, miss: _Miss, row: OpenClaim) -> tuple[dict[str, Any], bool]:
        """Return the alert of a row, and whether the row is of the alert itself and not of its fallback."""
        for alert in miss.watch.alerts:
            key = key_of(miss.watch, miss.run, alert)
            if row.id in ids_of([key, f"{key}|fallback"]):
                return alert, row.id in ids_of([key])
        raise LookupError(f"no alert of {miss.run.run_id} has the row {row.id}")

    def _delivery(self, miss: _Miss, row: OpenClaim) -> Delivery:
        alert, is_main = self._alert(miss, row)
        delivery = Delivery(
            sender_of(alert),
            key_of(miss.watch, miss.run, alert),
            self._table,
            about=about(miss.watch, miss.run, alert, _due(miss)),
        )
        return delivery if is_main else delivery.instead(sender_of({"notifier": alert["fallback"]}))


def _due(miss: _Miss) -> datetime:
    return datetime.fromtimestamp(min(row.due_at for row in miss.rows), UTC)


def _misses(rows: Iterable[OpenClaim], claims: str) -> list[_Miss]:
    """Put together what is about one SLA of one run. What cannot be read is left out, with an error in the log."""
    found: dict[tuple[Any, ...], tuple[Watch, Run, list[dict[str, Any]], list[OpenClaim]]] = {}
    for row in rows:
        try:
            watch, run = from_row(row.payload)
        except Exception:  # of a version that is newer, or a row that a person has changed
            logger.exception("The row %s of the claims cannot be read", row.id)
            continue
        watch = replace(watch, claims=claims)
        name = (watch.environment, run.dag_id, run.run_id, watch.task_id, watch.identity)
        _, _, alerts, same = found.setdefault(name, (watch, run, [], []))
        alerts.extend(alert for alert in watch.alerts if alert not in alerts)
        same.append(row)
    return [_Miss(replace(watch, alerts=alerts), run, tuple(same)) for watch, run, alerts, same in found.values()]
