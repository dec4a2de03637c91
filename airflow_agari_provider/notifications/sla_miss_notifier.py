"""What the notifiers of SLA misses have in common."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import (
    NOTIFIERS_TAKE_CONTEXT,
    AirflowNotFoundException,
    BaseNotifier,
    Stats,
    conf,
    in_thread,
)
from airflow_agari_provider.alerts.delivery import Delivery
from airflow_agari_provider.alerts.miss import Scope, SlaMiss
from airflow_agari_provider.alerts.sender import AlertRefused
from airflow_agari_provider.alerts.threads import POOL
from airflow_agari_provider.exceptions import cut, require_one_of, retrying
from airflow_agari_provider.notifications.callback_context import misses_of, unknown_miss

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context

logger = logging.getLogger(__name__)

SCOPES = ("task", "run", "dag")
# Total seconds to try to send. Airflow 2.11 ends the process that runs an sla_miss_callback after 50 s.
RETRY_FOR = 30.0
ASK_AGAIN_AFTER = 2.0  # seconds after a request about tasks that was not answered


class SlaMissNotifier(BaseNotifier):
    """
    Turns what Airflow tells a callback into misses, and sends each; a miss that cannot be sent is an error in the log.

    Subclasses are the senders of :mod:`airflow_agari_provider.alerts.sender`. Their ``needs`` are the modules that
    they import when they send.

    :param text: template of the text; default: the published sentence. ``sla_miss`` is the
        :class:`~airflow_agari_provider.alerts.miss.SlaMiss`.
    :param environment: such as ``EP_STAGE``; default: ``[agari] environment`` of Airflow's configuration.
    :param incident: what shares one incident: a ``task`` of a run, a ``run``, or a ``dag``.
    """

    name: str
    needs: Sequence[str]
    repeats_when_in_doubt = True
    most_failures = math.inf
    template_fields: Sequence[str] = ("text",)

    def __init__(
        self, *, text: str | None = None, environment: str | None = None, incident: Scope = "task", **kwargs: Any
    ) -> None:
        if NOTIFIERS_TAKE_CONTEXT:
            super().__init__(**kwargs)
        else:
            super().__init__()
        require_one_of("incident", incident, SCOPES)
        self.text = text
        self.environment = environment
        self.incident = incident
        self.__name__ = type(self).__name__  # Airflow 2.11 names an sla_miss_callback by this

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render nothing when Airflow asks: templates are rendered for each miss, which Airflow does not know."""

    def rendered(self, miss: SlaMiss) -> SlaMissNotifier:
        """
        Return a copy of this notifier, with its templates rendered for a miss.

        :raises AlertRefused: a template cannot be rendered; a retry would not help.
        """
        notifier = copy(self)
        context: Any = {"sla_miss": miss, "dag": None}
        try:
            BaseNotifier.render_template_fields(notifier, context)
        except Exception as error:  # a template may call anything
            problem = f"its templates cannot be rendered ({type(error).__name__}: {cut(str(error), 200)})"
            raise AlertRefused(self.name, f"{problem}. They can use sla_miss only.") from error
        return notifier

    def notify(self, context: Context) -> None:
        """Send each miss that the callback is told of; blocks for up to 30 seconds."""
        for miss in self._misses(context):
            delivery = self._delivery(miss)
            try:
                self._deliver(delivery, miss)
            except AirflowNotFoundException as error:
                delivery.refuse(error)
            count_alert(delivery)

    def _misses(self, context: Context) -> list[SlaMiss]:
        """Read the misses. For a deadline this asks about tasks, and Airflow never repeats a callback that failed."""
        ask = retrying(
            passes=lambda error: isinstance(error, Exception) and "deadline" in context,  # of supervisor or API server
            wait=lambda failed, error: ASK_AGAIN_AFTER,
            tell=lambda failed, error, wait: logger.warning(
                "Airflow did not tell what is late; asking again. %s: %s", type(error).__name__, error
            ),
            seconds=RETRY_FOR,
        )
        environment = environment_or_default(self.environment)
        try:
            return ask(lambda: list(misses_of(context, environment, self.incident)))
        except Exception:
            if "deadline" in context:
                logger.exception("Airflow did not tell what is late, so the deadline is taken for missed")
                return [unknown_miss(context, environment, self.incident)]
            Stats.incr("agari.alerts.failed", tags={"service": self.name})
            raise

    async def async_notify(self, context: Context) -> None:
        """Like :meth:`notify`, in a thread."""
        await in_thread(self.notify, context, pool=POOL)

    @staticmethod
    def _deliver(delivery: Delivery, miss: SlaMiss) -> None:
        give_up = time.monotonic() + RETRY_FOR
        while (pause := delivery.attempt(miss, time.time())) is not None:
            if time.monotonic() + pause > give_up:
                logger.error("Alert %s was not sent within %.0f s, and is given up", delivery.key, RETRY_FOR)
                return
            time.sleep(pause)

    def _delivery(self, miss: SlaMiss) -> Delivery:
        return Delivery(self, miss.entity_id)  # type: ignore[arg-type]  # subclasses are senders


def count_alert(delivery: Delivery) -> None:
    """Count in Airflow's metrics an alert that this process has sent, could not send, or leaves to who looks later."""
    outcome = delivery.outcome.removeprefix("digest ")
    if outcome in ("sent", "found sent"):
        Stats.incr("agari.alerts.sent", tags={"service": delivery.sender.name})
    elif outcome.startswith("silenced"):
        Stats.incr("agari.alerts.silenced", tags={"service": delivery.sender.name})
    elif outcome in ("refused", ""):  # or given up
        Stats.incr("agari.alerts.failed", tags={"service": delivery.sender.name})


def environment_or_default(environment: str | None) -> str:
    """Return the given environment, or by default ``[agari] environment``."""
    return conf.get("agari", "environment", fallback="") if environment is None else environment
