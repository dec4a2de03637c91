"""How far an import of a stream is: a line in the log every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_agari_provider.avro_import.progress import ImportProgress


class StreamProgress(ImportProgress):
    """Figures of an import that goes from read to read; each counts as an object."""

    def __init__(self, interval: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(interval, clock)
        self._behind: dict[str, float] = {}

    def at(self, shard: str, behind: float) -> None:
        """
        Note where a shard is.

        :param behind: seconds behind its newest record.
        """
        self._behind[shard] = behind

    @property
    def behind(self) -> float:
        """Seconds behind the newest record, of the shard that is the furthest behind."""
        return max(self._behind.values(), default=0.0)

    def line(self) -> str:
        """Return reads, rows, megabytes, rows per second, and how far behind the newest record the import is."""
        return f"{super().line().replace('objects', 'reads', 1)}, {self.behind:.0f} s behind the newest record"
