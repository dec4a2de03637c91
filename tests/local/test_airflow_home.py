from __future__ import annotations

from pathlib import Path

from airflow_agari_provider.local.airflow_home import AirflowHome


def test_no_password_looks_like_an_option_of_the_command_line_it_is_given_on():
    homes = [AirflowHome(Path("home"), (1, 2, 3), Path("dags"), {}) for _ in range(300)]
    assert all(home.password.isalnum() for home in homes)
    assert len({home.password for home in homes}) == 300
