"""Waits until importers have loaded the objects of a folder."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

from airflow_agari_provider.airflow_compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseHook,
    Context,
    PokeReturnValue,
    default_deferrable,
)
from airflow_agari_provider.airflow_errors import no_retry, without_objects
from airflow_agari_provider.avro_import.errors import IfNoObjects, NoObjects
from airflow_agari_provider.avro_import.load_state import (
    LedgerUnknown,
    LoadState,
    ObjectsNotLoaded,
    load_state,
    objects_to_load,
)
from airflow_agari_provider.databases.dialects import UnknownDatabase
from airflow_agari_provider.exceptions import require_durations, require_one_of, seconds, whole_number
from airflow_agari_provider.sensors.intervals import SHORTEST_RESCHEDULE, require_long_enough
from airflow_agari_provider.sensors.looks import LooksInWorkers
from airflow_agari_provider.sensors.saved_state import WaitMemory
from airflow_agari_provider.triggers.sqs_connection import sqs_of

if TYPE_CHECKING:
    from airflow_agari_provider.queues.drain_watch import DrainWatch


class AvroS3LoadedSensor(LooksInWorkers):
    """
    Waits until every object of a folder is in a table, whichever importer of whichever run loads it.

    An object is loaded if the ledger of ``AvroS3ImportOperator`` has it with the content that S3 has now. Runs that
    share an importer queue thus wait for their own files, and not for those of the others.

    With ``queue_url``, the wait also ends when no message is left that could bring an object: when all counts of the
    queue were 0 for a whole ``quiet_period``. Without it, only ``timeout`` ends a wait for an object that never comes.

    Returns ``{"objects", "loaded", "failed", "missing", "failed_urls", "missing_urls"}``. ``failed`` objects are not
    loaded, and an import has recorded why; ``missing`` ones have no such record. The URLs are the first ten of each.

    :param s3_url: URL of an object or a folder (everything below it), or a list of URLs. Files that Hadoop and Spark
        hide or have not committed do not count.
    :param pattern: the names of the objects, as for the importers; None waits for all that is not hidden.
    :param table: table to load into, as the importers call it.
    :param sql_conn_id: connection to its database, as for the importers.
    :param queue_url: URL, ARN or name of the importers' queue, or a list of them.
    :param quiet_period: seconds (or timedelta) by the clock; for AWS not below 60, because its counts lag.
    :param on_missing: what to do when no message is left, but objects are not loaded: ``"fail"`` fails the task,
        without retries; ``"warn"`` logs a warning and succeeds.
    :param if_no_objects: what to do if there is no object at ``s3_url``: ``"fail"``, ``"skip"`` the task, or ``"ok"``.
    :param max_unknown: fail the task after this many looks in a row at a queue that did not tell its depth.
    :param poke_interval: seconds (or timedelta) between two looks; default: 30; deferrable or in ``mode="reschedule"``
        60, and the latter refuses less.
    :param mode: ``poke`` holds its worker slot, ``reschedule`` gives it back between looks.
    :param aws_conn_id: Airflow connection to AWS; None for boto3's own credentials.
    :param region_name: AWS region; default: that of the connection.
    :param deferrable: wait in the triggerer between two looks, without a worker slot.

    ``timeout`` and ``soft_fail`` are those of every sensor, and also apply when deferred.
    """

    template_fields: Sequence[str] = (
        "s3_url",
        "pattern",
        "table",
        "sql_conn_id",
        "queue_url",
        "quiet_period",
        "aws_conn_id",
        "region_name",
    )
    ui_color = "#d5e8d4"

    def __init__(
        self,
        *,
        s3_url: str | Sequence[str],
        table: str,
        sql_conn_id: str,
        queue_url: str | list[str] | None = None,
        quiet_period: float | timedelta | str = 120,
        pattern: str | None = "*.avro",
        on_missing: str = "fail",
        if_no_objects: IfNoObjects = "fail",
        max_unknown: int = 10,
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
        require_one_of("on_missing", on_missing, ("fail", "warn"))
        require_one_of("if_no_objects", if_no_objects, get_args(IfNoObjects))
        require_long_enough(self.poke_interval, mode, deferrable)
        require_durations(quiet_period=quiet_period)
        whole_number("max_unknown", max_unknown, 1)
        self.s3_url = s3_url
        self.pattern = pattern
        self.table = table
        self.sql_conn_id = sql_conn_id
        self.queue_url = queue_url
        self.quiet_period = quiet_period
        self.on_missing = on_missing
        self.if_no_objects = if_no_objects
        self.max_unknown = max_unknown
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.deferrable = deferrable
        self._s3: Any = None
        self._watch: DrainWatch | None = None
        self._deadline = 0.0

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once: done with figures, or not done. If deferrable, a trigger only waits for the next look."""
        memory = self._memory(context)
        with memory.forgotten_with_the_last_try():
            self._begin(memory.recall(), context["ti"].try_number)
            pause = self._look_at_queue()  # before the ledger: what the last message brought is in the ledger by then
            state: LoadState | LedgerUnknown
            try:
                state = self._look_at_ledger()
            except AirflowSkipException:
                memory.forget()
                raise
            except LedgerUnknown as unknown:
                state = unknown
            if isinstance(state, LoadState) and (state.complete or pause is None):
                figures = self._conclude(state)
                memory.forget()
                return PokeReturnValue(True, figures)
            if time.time() >= self._deadline:
                raise AirflowSensorTimeout(f"The objects were not loaded in {self.timeout:.0f} s: {state}.")
        self.log.info("Waiting: %s", state)
        kept = {
            "watch": dataclasses.asdict(self._watch) if self._watch else None,
            "deadline": self._deadline,
            "try_number": context["ti"].try_number,
        }
        memory.remember(kept)
        if self.deferrable:
            self.defer_to_next_look(self.poke_interval if pause is None else pause, self._deadline, kept)
        return PokeReturnValue(False)

    def _begin(self, kept: dict[str, Any] | None, try_number: int) -> None:
        """Begin the wait; or go on with that of the last look, but in another try begin a new one."""
        from airflow_agari_provider.queues.drain_watch import DrainWatch

        if self._deadline:
            return
        self._deadline = time.time() + self.timeout
        if kept and kept["try_number"] == try_number:
            self._deadline = kept["deadline"]
            self._watch = DrainWatch.again(kept["watch"]) if kept["watch"] else None

    def _look_at_queue(self) -> float | None:
        """Return the seconds until the next look; None if no message is left that could bring an object."""
        if not self.queue_url:
            return float(self.poke_interval)
        from airflow_agari_provider.queues.drain import poll, start_watch

        sqs = sqs_of(self.aws_conn_id, self.region_name)
        self._watch = self._watch or start_watch(
            sqs,
            [self.queue_url] if isinstance(self.queue_url, str) else list(self.queue_url),
            dead_letters=None,
            poll_interval=self.poke_interval,
            quiet_period=seconds("quiet_period", self.quiet_period),
            stall_timeout=None,
            max_unknown=self.max_unknown,
        )
        return poll(sqs, self._watch, time.time())

    def _look_at_ledger(self) -> LoadState:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        self._s3 = self._s3 or S3Hook(aws_conn_id=self.aws_conn_id, region_name=self.region_name).conn
        found = objects_to_load(self._s3, self.s3_url, self.pattern)
        if not found:
            without_objects(self.if_no_objects, self.s3_url, NoObjects(str(self.s3_url)))
        hook = BaseHook.get_connection(self.sql_conn_id).get_hook()
        with no_retry(UnknownDatabase), closing(hook.get_conn()) as connection:
            return load_state(connection, self.table, found, getattr(hook, "placeholder", None))

    def _conclude(self, state: LoadState) -> dict[str, Any]:
        if self._watch and not state.complete:
            problem = ObjectsNotLoaded(state, self._watch.queue_urls, self._watch.quiet_period)
            if self.on_missing == "fail":
                with no_retry(ObjectsNotLoaded):  # in another try too, no message would bring them
                    raise problem
            self.log.warning("%s", problem)
        else:
            self.log.info("%s", state)
        return state.figures()

    def _memory(self, context: Context) -> WaitMemory:
        return WaitMemory(context, self.retries, needed=self.reschedule and not self.deferrable)
