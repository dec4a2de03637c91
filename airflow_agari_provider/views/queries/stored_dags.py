"""DAGs as Airflow stores them: how each is built, and the file that it was made by."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.blast_radius.dag_shape import DagShape, shape_of
from airflow_agari_provider.blast_radius.graph import Run, RunKey
from airflow_agari_provider.views.queries.tables import (
    CODE,
    CODE_KEY,
    SERIALIZED,
    SERIALIZED_CODE_KEY,
    VERSION,
)

AT_ONCE = 500  # values in a list of a statement


def chunks(values: Collection[Any], size: int = AT_ONCE) -> Iterator[list[Any]]:
    """Part a collection, so that the lists of values in statements are of a bounded length."""
    ordered = list(values)
    return (ordered[begin : begin + size] for begin in range(0, len(ordered), size))


def newest() -> Any:
    """Return the condition for the newest version of each stored DAG."""
    if VERSION is None:
        return sa.true()
    last = sa.select(VERSION.c.dag_id, sa.func.max(VERSION.c.version_number).label("number"))
    last = last.group_by(VERSION.c.dag_id).subquery()
    of_last = sa.and_(VERSION.c.dag_id == last.c.dag_id, VERSION.c.version_number == last.c.number)
    return SERIALIZED.c.dag_version_id.in_(sa.select(VERSION.c.id).join(last, of_last))


def read_dag(row: Any) -> Mapping[str, Any]:
    """Return what a row has of the DAG, packed or not."""
    data = json.loads(zlib.decompress(row.data_compressed)) if row.data is None else row.data
    found: Mapping[str, Any] = (json.loads(data) if isinstance(data, str) else data)["dag"]
    return found


class StoredDags:
    """
    How DAGs are built; each version is read once.

    :param session: of the metadata database.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._of_version: dict[str, DagShape] = {}
        self._newest: dict[str, DagShape | None] = {}
        self._waiting: list[DagShape] | None = None

    def shapes(self, runs: Collection[Run]) -> dict[RunKey, DagShape | None]:
        """
        Return for each run how its DAG was built when the run was created.

        Where that version is not stored, as on 2.11, it is the newest one; None: there is none.
        """
        if VERSION is not None:
            versions = {run.version for run in runs if run.version} - self._of_version.keys()
            for some in chunks(sorted(versions)):
                for row in self._rows(SERIALIZED.c.dag_version_id.in_([_identity(one) for one in some])):
                    self._of_version[str(row.dag_version_id)] = shape_of(read_dag(row))
        lacking = {run.key.dag_id for run in runs if (run.version or "") not in self._of_version}
        for some in chunks(sorted(lacking - self._newest.keys())):
            self._newest |= dict.fromkeys(some)
            for row in self._rows(SERIALIZED.c.dag_id.in_(some), newest()):
                self._newest[row.dag_id] = shape_of(read_dag(row))
        return {run.key: self._of_version.get(run.version or "") or self._newest.get(run.key.dag_id) for run in runs}

    def waiting(self) -> list[DagShape]:
        """
        Return the DAGs with sensors that wait for other DAGs.

        Every stored DAG is looked through, in the database, where it is not packed; once for each answer.
        """
        if self._waiting is None:
            text = sa.cast(SERIALIZED.c.data, sa.Text)
            has_one = sa.or_(SERIALIZED.c.data_compressed.is_not(None), text.like("%external_task_ids%"))
            shapes = (shape_of(read_dag(row)) for row in self._rows(has_one, newest()))
            self._waiting = [shape for shape in shapes if shape.sensors]
        return self._waiting

    def source(self, dag_id: str) -> str | None:
        """Return the text of the file of a DAG's newest version; None: it is not stored."""
        query = sa.select(CODE.c.source_code).join(SERIALIZED, CODE_KEY == SERIALIZED_CODE_KEY)
        found = self._session.execute(query.where(SERIALIZED.c.dag_id == dag_id, newest()).limit(1)).scalar()
        return None if found is None else str(found)

    def _rows(self, *conditions: Any) -> Any:
        return self._session.execute(sa.select(SERIALIZED).where(*conditions))


def _identity(version: str) -> Any:
    """Return a version's id as the column has it."""
    return SERIALIZED.c.dag_version_id.type.python_type(version)
