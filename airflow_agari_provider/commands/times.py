"""Times as people type them."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime


def iso_moment(text: str, or_else: str = "") -> float:
    """
    Read ISO 8601, which is in UTC if it has no zone, as epoch seconds.

    :param or_else: what else the argument takes, for the error's text.
    :raises ArgumentTypeError: it is no time.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        problem = f"{text!r} is no time: give 2026-11-30T18:00, 2026-11-30T18:00+01:00{or_else}"
        raise argparse.ArgumentTypeError(problem) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
