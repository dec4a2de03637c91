"""Read all stages at the same time, each for a limited time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_agari_provider.discrepancy.counted import ROWS_AT_ONCE, Counted, UnusableCounts
from airflow_agari_provider.exceptions import AgariError, cut


class StageNotRead(AgariError):
    """
    A stage could not be read, which says nothing about its counts.

    :param stage: name of the stage.
    :param where: connection, URL or function.
    :param problem: the error.
    """

    def __init__(self, stage: str, where: str, problem: str) -> None:
        super().__init__(stage, where, problem)
        self.stage, self.where, self.problem = stage, where, problem

    def __str__(self) -> str:
        return (
            f"Stage {self.stage!r} could not be read from {self.where}: {self.problem}. So it is not known whether"
            " messages were lost, and nothing was reported. A retry counts again; check the query, the connection and"
            " its rights."
        )


class WindowStillOpen(AgariError):
    """
    The window may still get messages, so that its stages must differ.

    :param end: when it ends, with the time that its messages may come late.
    """

    def __init__(self, end: datetime) -> None:
        super().__init__(end)
        self.end = end

    def __str__(self) -> str:
        return (
            f"The window is open until {self.end:%Y-%m-%d %H:%M:%S %Z}, with its grace: messages may still come, and"
            " every stage would differ. Nothing was counted. Run the check later, or clear it then."
        )


@dataclass(frozen=True)
class Source:
    """
    How one stage is read.

    :param read: adds its rows.
    :param where: connection, URL or function, for errors.
    :param seconds: in which it must be read.
    """

    counted: Counted
    read: Callable[[Counted], None]
    where: str
    seconds: float


def read_all(sources: Iterable[Source]) -> list[Counted]:
    """
    Read the stages, and return their counts in the same order.

    :raises UnusableCounts: a stage gave no usable counts; a retry does not help.
    :raises StageNotRead: a stage could not be read, or not in time. Its query may go on until the process ends.
    """
    begun = time.monotonic()
    running = [(source, _started(source)) for source in sources]
    problems: list[Exception] = []
    for source, outcome in running:
        try:
            outcome.result(max(0.0, begun + source.seconds - time.monotonic()))
        except TimeoutError:
            # also the error of the source's own client, if it is there already
            said = "it did not answer" if outcome.done() else f"it did not answer within {source.seconds:g} s"
            problems.append(StageNotRead(source.counted.stage, source.where, said))
        except (UnusableCounts, StageNotRead) as error:
            problems.append(error)
        except Exception as error:  # noqa: BLE001 - of any driver, service or function
            problem = cut(f"{type(error).__name__}: {error}".strip(), 1000)
            problems.append(StageNotRead(source.counted.stage, source.where, problem))
            problems[-1].__cause__ = error
    for first in sorted(problems, key=lambda each: not isinstance(each, UnusableCounts)):
        raise first
    for source, _ in running:
        source.counted.pool.clear()  # the counts hold its texts; the pool of a million has 40 MiB of its own
    return [source.counted for source, _ in running]


def _started(source: Source) -> Future[None]:
    outcome: Future[None] = Future()

    def run() -> None:
        try:
            source.read(source.counted)
            outcome.set_result(None)
        except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
            outcome.set_exception(error)

    # Not of a pool: Python waits at its end for the threads of pools, and this one may hang
    threading.Thread(target=run, name=f"agari-stage-{source.counted.stage}", daemon=True).start()
    return outcome


def add_cursor(counted: Counted, cursor: Any) -> None:
    """
    Add all rows of a DB-API cursor, without holding them all.

    :raises UnusableCounts: the statement has no rows to give, such as a DELETE.
    """
    if cursor.description is None:
        raise UnusableCounts(counted.stage, "its statement returns no rows: it is no query")
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        counted.add_rows(rows)


def require_closed(end: datetime | None, now: datetime) -> None:
    """
    Check that the window has ended.

    :param end: its end, with the time that its messages may come late; ``None``: it is not known.
    :raises WindowStillOpen: it has not.
    """
    if end is not None and now < end:
        raise WindowStillOpen(end)


def remarks_on(stages: Mapping[str, Counted], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """
    Return what is odd about the counts themselves, as sentences.

    :param pairs: stages that are compared.
    """
    remarks = [
        f"{stage.stage} gave {stage.repeated:,} key(s) more than once, such as {cut(stage.an_example, 60, '...')};"
        " the counts were added up. Is its query grouped by the key alone?"
        for stage in stages.values()
        if stage.repeated
    ]
    for one, other in dict.fromkeys(pairs):
        counts, others = stages[one].counts, stages[other].counts
        if counts and others and counts.keys().isdisjoint(others):
            examples = f"{one}: {_example(counts)}; {other}: {_example(others)}"
            remarks.append(f"{one} and {other} share no key ({examples}). Are keys written differently? See key.")
    return remarks


def _example(counts: Mapping[str, int]) -> str:
    return repr(cut(next(iter(counts)), 60, "..."))
