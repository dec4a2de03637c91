"""How a service's lists of jobs are searched for the jobs of one task run, with the same bound for every service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from airflow_agari_provider.scoring.jobs import JobState

RUNS_SEARCHED = 2000  # jobs since the run's time, for a finished one; live ones are all looked at
ENDED_BADLY = ("FAILED", "CANCELLED")


def read_token(text: str) -> str:
    """Return a text if it is a run token; otherwise an empty text."""
    return text if len(text) == 32 and set(text) <= set("0123456789abcdef") else ""


class JobLists:
    """
    The jobs that were found, and how many of each token have failed.

    That number is part of the next job's client token, or of its name, where a service has one job for each: a repeated
    request is the same job, and a retry after a failed job another one.
    """

    def __init__(self) -> None:
        self._failed: dict[str, int] = {}

    def failed(self, token: str) -> int:
        return self._failed.get(token, 0)

    def find(
        self, tokens: Sequence[str], live: Iterable[JobState], every: Iterable[JobState], live_only: bool
    ) -> list[JobState]:
        """
        As ``SparkBackend.find``.

        :param live: the live jobs of the service.
        :param every: all of its jobs, the newest first; only looked at for a finished job.
        """
        found = {job.job_id: job for job in live if job.token in tokens}
        if not live_only and not any(job.token == tokens[0] for job in found.values()):
            found |= {job.job_id: job for job in islice(every, RUNS_SEARCHED) if job.token in tokens}
        for token in tokens:
            ended = [job for job in found.values() if job.token == token and job.phase in ENDED_BADLY]
            self._failed[token] = max(len(ended), self.failed(token))
        return sorted(found.values(), key=lambda job: (job.submitted_at or 0, job.job_id))
