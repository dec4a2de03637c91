"""The ways in which each sensor waits: a test of one runs in all."""

from __future__ import annotations

import pytest

modes = pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferred"])
timeouts = pytest.mark.parametrize(
    "mode", [{"deferrable": False, "timeout": 0}, {"deferrable": True, "timeout": 0.3}], ids=["poke", "deferred"]
)
