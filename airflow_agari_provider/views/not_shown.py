"""What a page is about cannot be shown now: both web servers answer with its status and sentence."""

from __future__ import annotations

from airflow_agari_provider.exceptions import AgariError


class NotShown(AgariError):
    """
    What was asked for cannot be shown.

    :param status: HTTP status: 404 if it is not there or not set up, 503 if a later request may succeed.
    :param problem: what is wrong and what to do, in whole sentences.
    """

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(status, problem)
        self.status, self.problem = status, problem

    def __str__(self) -> str:
        return self.problem
