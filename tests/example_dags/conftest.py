"""The example DAGs as Airflow loads them: their folder is on Python's path."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "example_dags"


@pytest.fixture
def load_dag(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """``load_dag("message_scoring")``: the module, read anew, as the DAG processor reads it."""

    def load(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(FOLDER))
        monkeypatch.delitem(sys.modules, "scoring_pipeline", raising=False)
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
