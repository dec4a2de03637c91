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

TURN = 2.0  # seconds; ten thousand rows take some milliseconds
_turns = threading.Lock()


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


def read_all(
    sources: Iterable[Source],
    others: Iterable[Source] = (),
    on_problem: Callable[[Exception], None] = lambda problem: None,
) -> list[Counted]:
    """
    Read the stages, and return their counts in the same order, and then those of the others that could be read.

    :param others: what is read at the same time, but must not keep the stages from being compared.
    :param on_problem: called with what kept one of the others from being read.
    :raises UnusableCounts: a stage gave no usable counts; a retry does not help.
    :raises StageNotRead: a stage could not be read, or not in time. Its query may go on until the process ends.
    """
    begun = time.monotonic()
    running = [(source, _started(source)) for source in sources]
    beside = [(source, _started(source)) for source in others]
    problems = [problem for source, outcome in running if (problem := _problem(source, outcome, begun))]
    for first in sorted(problems, key=lambda each: not isinstance(each, UnusableCounts)):
        raise first
    read = [source.counted for source, _ in running]
    for source, outcome in beside:
        if problem := _problem(source, outcome, begun):
            on_problem(problem)
        else:
            read.append(source.counted)
    for counted in read:
        counted.pool.clear()  # the counts hold its texts; the pool of a million has 40 MiB of its own
    return read


def _problem(source: Source, outcome: Future[None], begun: float) -> Exception | None:
    """Wait until a source was read, or its time is over; return what went wrong."""
    try:
        outcome.result(max(0.0, begun + source.seconds - time.monotonic()))
    except TimeoutError:
        # also the error of the source's own client, if it is there already
        said = "it did not answer" if outcome.done() else f"it did not answer within {source.seconds:g} s"
        return StageNotRead(source.counted.stage, source.where, said)
    except (UnusableCounts, StageNotRead) as error:
        return error
    except Exception as error:  # noqa: BLE001 - of any driver, service or function
        text = cut(f"{type(error).__name__}: {error}".strip(), 1000)
        problem = StageNotRead(source.counted.stage, source.where, text)
        problem.__cause__ = error
        return problem
    return None


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


def add_cursor(counted: Counted, cursor: Any, turn: float = TURN) -> None:
    """
    Add all rows of a DB-API cursor, without holding them all.

    The stages' databases work at the same time, but their rows come in turns: threads that all want Python's lock for
    each row hinder each other.

    :param turn: seconds to wait for one's turn; after that, another stage hangs, and this one no longer waits for it.
    :raises UnusableCounts: the statement has no rows to give, such as a DELETE.
    """
    if cursor.description is None:
        raise UnusableCounts(counted.stage, "its statement returns no rows: it is no query")
    rows, takes_turns = cursor.fetchmany(ROWS_AT_ONCE), True
    while rows:
        takes_turns = takes_turns and _turns.acquire(timeout=turn)
        try:
            counted.add_rows(rows)
            rows = cursor.fetchmany(ROWS_AT_ONCE)
        finally:
            if takes_turns:
                _turns.release()


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
