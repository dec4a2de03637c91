"""Waits until an import has caught up with a Kinesis stream."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import (
    AirflowSensorTimeout,
    BaseHook,
    Context,
    PokeReturnValue,
    default_deferrable,
)
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.databases.dialects import UnknownDatabase
from airflow_agari_provider.exceptions import require_durations, seconds
from airflow_agari_provider.hooks.aws_clients import shared_clients
from airflow_agari_provider.sensors.intervals import SHORTEST_RESCHEDULE, require_long_enough
from airflow_agari_provider.sensors.looks import LooksInWorkers
from airflow_agari_provider.sensors.saved_state import WaitMemory
from airflow_agari_provider.streams.errors import MissingStream
from airflow_agari_provider.streams.lag import LagUnknown, stream_lag

if TYPE_CHECKING:
    from airflow_agari_provider.streams.lag import StreamLag

PATIENCE = 30.0  # seconds for one request; then the look failed, and the next one asks again


class KinesisLagSensor(LooksInWorkers):
    """
    Waits until all that arrived in a Kinesis stream before a time is in a table, as the import's checkpoints tell it.

    Each look reads one record of each shard, of the five reads in a second that Kinesis allows all readers of a shard.
    A database or a Kinesis that does not answer is *unknown*: the sensor looks again, until ``timeout``.

    Returns ``{"shards", "lagging_shards", "behind_seconds", "up_to"}``. ``behind_seconds``: the age of the oldest
    record that is not loaded; 0 if all are.

    :param stream: name or ARN of the stream. An ARN says in which region it is; a name is looked up in
        ``region_name``.
    :param table: table to load into, as ``AvroKinesisImportOperator`` calls it.
    :param sql_conn_id: connection to its database.
    :param up_to: datetime, or ISO text with a zone: wait for what arrived before. None: the time of the first look.
    :param max_lag: seconds (or timedelta): wait instead until no record that is not loaded is older. Give this or
        ``up_to``.
    :param poke_interval: seconds (or timedelta) between two looks; default: 30; deferrable or in ``mode="reschedule"``
        60, and the latter refuses less.
    :param mode: ``poke`` holds its worker slot, ``reschedule`` gives it back between looks.
    :param aws_conn_id: Airflow connection to AWS; None for boto3's own credentials.
    :param region_name: AWS region; default: that of the connection.
    :param deferrable: wait in the triggerer between two looks, without a worker slot.

    ``timeout`` and ``soft_fail`` are those of every sensor, and also apply when deferred.
    """

    template_fields: Sequence[str] = (
        "stream",
        "table",
        "sql_conn_id",
        "up_to",
        "max_lag",
        "aws_conn_id",
        "region_name",
    )
    ui_color = "#d5e8d4"

    def __init__(
        self,
        *,
        stream: str,
        table: str,
        sql_conn_id: str,
        up_to: datetime | str | None = None,
        max_lag: float | timedelta | str | None = None,
        poke_interval: float | timedelta | None = None,
        mode: str = "poke",
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        deferrable: bool = default_deferrable(),
        **kwargs: Any,
    ) -> None:
        if poke_interval is None:
            poke_interval = SHORTEST_RESCHEDULE if deferrable or mode == "reschedule" else 30
        super().__init__(poke_interval=poke_interval, mode=mode, **kwargs)
        require_long_enough(self.poke_interval, mode, deferrable)
        require_durations(max_lag=max_lag)
        self.stream = stream
        self.table = table
        self.sql_conn_id = sql_conn_id
        self.up_to = up_to
        self.max_lag = max_lag
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.deferrable = deferrable
        self._first_look: str | None = None
        self._deadline = 0.0
        if up_to is not None and max_lag is not None:
            raise ValueError("Give up_to or max_lag, not both.")

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once: done with figures, or not done. If deferrable, a trigger only waits for the next look."""
        memory = WaitMemory(context, self.retries, needed=self.reschedule and not self.deferrable)
        with memory.forgotten_with_the_last_try():
            self._begin(memory.recall(), context["ti"].try_number)
            try:
                lag = self._look()
            except LagUnknown as unknown:
                told = str(unknown)
            else:
                up_to = self._up_to(lag)
                told = lag.text(up_to)
                if lag.loaded(up_to):
                    self.log.info("Caught up: %s", told)
                    memory.forget()
                    return PokeReturnValue(True, lag.figures(up_to))
            if time.time() >= self._deadline:
                raise AirflowSensorTimeout(f"The stream was not loaded in {self.timeout:.0f} s: {told}.")
        self.log.info("Waiting: %s", told)
        try_number = context["ti"].try_number
        kept = {"first_look": self._first_look, "deadline": self._deadline, "try_number": try_number}
        memory.remember(kept)
        if self.deferrable:
            self.defer_to_next_look(self.poke_interval, self._deadline, kept)
        return PokeReturnValue(False)

    def _begin(self, kept: dict[str, Any] | None, try_number: int) -> None:
        """Begin the wait; or go on with that of the last look, but in another try begin a new one."""
        if self._deadline:
            return
        self._deadline = time.time() + self.timeout
        if kept:
            self._first_look = kept["first_look"]  # also for another try: what is waited for is the same
            if kept["try_number"] == try_number:
                self._deadline = kept["deadline"]

    def _up_to(self, lag: StreamLag) -> datetime:
        """Return before which time all has to be loaded."""
        if self.max_lag is not None:
            return lag.now - timedelta(seconds=seconds("max_lag", self.max_lag))
        self._first_look = self._first_look or lag.now.isoformat()
        given = self.up_to if self.up_to is not None else self._first_look
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(given)
        if moment.tzinfo is None:
            raise ValueError(f"up_to={self.up_to!r} has no zone: give an aware datetime, or ISO text with a zone.")
        return moment

    def _look(self) -> StreamLag:
        from airflow_agari_provider.streams.kinesis import KinesisStream, region_of

        region = region_of(self.stream) or self.region_name
        client = shared_clients(self.aws_conn_id, region).client("kinesis")
        hook = BaseHook.get_connection(self.sql_conn_id).get_hook()
        kinesis = KinesisStream(client, self.stream, patience=PATIENCE)
        with no_retry(UnknownDatabase, MissingStream), closing(hook.get_conn()) as connection:
            return stream_lag(connection, kinesis, self.table, getattr(hook, "placeholder", None))
