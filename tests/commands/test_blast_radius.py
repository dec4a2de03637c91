"""``agari blast-radius``, with a metadata database of its own."""

from __future__ import annotations

import json
import sys

import pytest
import sqlalchemy as sa

from airflow_agari_provider import airflow_runs
from airflow_agari_provider.commands.agari import main
from airflow_agari_provider.views.queries.tables import ASSET, EVENT, EVENT_ASSET, EVENT_USE
from tests.views.metadata_rows import Metadata, at

WINDOW = ["--from", "2026-05-28T20:26:40", "--to", "2026-05-28T21:00+00:00"]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A DAG whose run at 20:26:40 fed one of another DAG."""
    metadata = Metadata(f"sqlite:///{tmp_path_factory.mktemp('metadata')}/airflow.db")
    for dag_id in ("score", "report"):
        metadata.dag(dag_id, [{"task_id": "load"}])
        metadata.run(dag_id, "1", 0, start_date=at(0), end_date=at(80))
    metadata.add(ASSET, id=1, name="s3://scored", uri="s3://scored", group="asset", extra={})
    source = {"source_dag_id": "score", "source_run_id": "1", "source_task_id": "load", EVENT_ASSET.name: 1}
    metadata.add(EVENT, id=1, timestamp=at(60), extra={}, **source)
    metadata.add(EVENT_USE, event_id=1, dag_run_id=2)
    metadata.session.commit()
    yield metadata.engine
    metadata.close()


@pytest.fixture(autouse=True)
def session(database, monkeypatch):
    monkeypatch.setattr(airflow_runs, "_session_of_its_own", lambda: sa.orm.Session(database))


def told(capsys, *arguments):
    code = main(["blast-radius", *arguments])
    return code, capsys.readouterr()


def test_it_prints_the_tree(capsys):
    code, printed = told(capsys, "score", *WINDOW)
    assert (code, printed.err) == (0, "")
    assert printed.out.splitlines() == [
        "1 run fed 1 run",
        "  report: 1 run",
        "  score: 1 run",
        "",
        "2026-05-28 20:26:40 UTC  score  1  success, ended 2026-05-28 20:28 UTC",
        "  -> 2026-05-28 20:26:40 UTC  report  1  success, ended 2026-05-28 20:28 UTC  [asset s3://scored]",
        "",
        "Nothing is unknown: every edge is recorded.",
    ]


def test_it_prints_json_and_a_graph(capsys):
    _, printed = told(capsys, "score", *WINDOW, "--output", "json", "--task", "load")
    assert [one["dag_id"] for one in json.loads(printed.out)["runs"]] == ["score", "report"]
    _, printed = told(capsys, "score", *WINDOW, "--output", "dot")
    assert printed.out.startswith("digraph blast_radius {")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["score", *WINDOW, "--task", "gone"], 3, "task_gone: DAG score has no task gone now"),
        (["score", "--from", "2026-05-27", "--to", "2026-05-28"], 3, "There is no run to begin with."),
        (["score", *WINDOW, "--most-runs", "1"], 4, "too_many: The search stopped at 1 runs"),
    ],
)
def test_the_exit_code_says_what_is_unknown(arguments, code, says, capsys):
    found, printed = told(capsys, *arguments)
    assert found == code
    assert says in printed.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nobody", *WINDOW], 1, "agari: Airflow knows no DAG nobody"),
        (["score", "--from", "2026-05-28"], 2, "--to"),
        (["score", "--from", "yesterday", "--to", "2026-05-28"], 2, "'yesterday' is no time: give 2026-11-30T18:00"),
        (["score", "--from", "2026-05-28", "--to", "2026-05-28"], 2, "--to must be later than --from"),
        (["score", *WINDOW, "--most-runs", "0"], 2, "'0' is no number of runs"),
        (["score", *WINDOW, "--output", "html"], 2, "invalid choice"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(arguments, code, says, capsys):
    with pytest.raises(SystemExit) as ended:
        sys.exit(main(["blast-radius", *arguments]))
    assert ended.value.code == code
    assert says in capsys.readouterr().err


def test_a_database_that_does_not_answer_is_one_sentence(capsys, monkeypatch, tmp_path):
    nowhere = sa.create_engine(f"sqlite:///{tmp_path}/no/such/folder.db")
    monkeypatch.setattr(airflow_runs, "_session_of_its_own", lambda: sa.orm.Session(nowhere))
    code, printed = told(capsys, "score", *WINDOW)
    assert code == 1
    assert "agari: Airflow's metadata database did not answer: unable to open database file." in printed.err
