from __future__ import annotations

import tomllib
from pathlib import Path

from airflow_agari_provider.airflow_compat import NEWEST_TRIED

ROOT = Path(__file__).parent.parent


def test_the_airflows_that_were_tried_are_those_with_constraints_and_the_newest_warns_above():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tried = project["tool"]["airflow-agari-provider"]["tried-airflows"]
    assert tried == sorted(path.stem.removeprefix("airflow-") for path in (ROOT / "constraints").glob("*.txt"))
    assert tried[-1] == NEWEST_TRIED
