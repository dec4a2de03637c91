"""
Errors that cross modules.

Each passes its values to ``super().__init__`` and builds its text in ``__str__``: so it pickles as it is, which
Airflow needs to hand it from one process to another.
"""

from __future__ import annotations


class AgariError(Exception):
    """Base of every error this package raises on purpose; anything else is a bug."""
