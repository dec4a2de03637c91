from __future__ import annotations

import json
import pickle

import pytest

from airflow_agari_provider.local.demo import target_database
from airflow_agari_provider.local.demo.target_database import UnusableDatabase, open_target_database


def test_without_a_url_the_database_is_a_file_in_the_folder(tmp_path):
    with open_target_database(None, tmp_path) as database:
        assert database.count("SELECT COUNT(*) FROM scored_messages") is None
        database.execute("CREATE TABLE scored_messages (org_id INTEGER)", "INSERT INTO scored_messages VALUES (1)")
        assert database.count("SELECT COUNT(*) FROM scored_messages") == 1
        assert json.loads(database.airflow_connection) == {
            "conn_type": "sqlite",
            "host": str(tmp_path / "scoring.db"),
        }


@pytest.mark.parametrize(
    ("url", "name", "says"),
    [
        pytest.param("oracle://me:hush@there/x", "oracle://there/x", "'oracle' is not known", id="kind"),
        pytest.param("mysql://me:hush@there:port/x", "mysql://there/x", "Port could not be cast", id="port"),
    ],
)
def test_a_url_that_cannot_be_used_is_named_without_its_password(tmp_path, url, name, says):
    with pytest.raises(UnusableDatabase, match=says) as refused, open_target_database(url, tmp_path):
        pass
    assert f"cannot use the database {name}: " in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "name", "driver", "extra"),
    [
        ("mysql://me:hush@there/x", "mysql://there/x", "MySQLdb", "mysql"),
        ("postgresql://me:hush@there/x", "postgresql://there/x", "psycopg2", "postgres"),
        ("embedded-postgres", "embedded-postgres", "psycopg2", "postgres"),
    ],
)
def test_a_missing_driver_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch, url, name, driver, extra):
    monkeypatch.setattr(target_database, "find_spec", lambda name: None)
    with pytest.raises(UnusableDatabase) as refused, open_target_database(url, tmp_path):
        pass
    error = pickle.loads(pickle.dumps(refused.value))
    assert error.url == name
    assert error.reason == (
        f"its driver {driver} is not installed. Install it with: pip install 'airflow-agari-provider[{extra}]'"
    )
    assert not list(tmp_path.iterdir())
