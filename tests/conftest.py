"""
Fixtures that more than one room uses: an AWS over HTTP, databases, and an Airflow home of the session's own.

Tests of the Airflow nouns are collected only where Airflow is installed: our nouns' tests run without it.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

AIRFLOW_INSTALLED = importlib.util.find_spec("airflow") is not None
TESTS = Path(__file__).parent
NEED_AIRFLOW = (
    "operators",
    "sensors",
    "triggers",
    "hooks",
    "notifications",
    "slas",
    "commands",
    "views",
    "contracts",
    "docs",
    "end_to_end",
    "example_dags",
    "local/demo/test_airflow_home.py",  # drives an installed Airflow
    "local/demo/test_report.py",
    "local/demo/test_runs.py",
    "local/demo/test_setup.py",
    "local/demo/test_weeks_before.py",
    "local/emr/test_local_spark.py",  # needs Spark, which is installed beside Airflow only
    "test_airflow_compat.py",
    "test_airflow_deadlines.py",
    "test_airflow_errors.py",
    "test_airflow_runs.py",
    "test_plugin.py",
)

# Before anything imports Airflow: it reads its configuration once.
_home = tempfile.mkdtemp(prefix="agari-tests-")
os.environ.update(
    {
        "AIRFLOW_HOME": _home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home}/airflow.db",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
)

pytest_plugins = [
    "tests.fix_aws",
    "tests.fix_browser",
    "tests.fix_databases",
    "tests.fix_emr",
    "tests.fix_imports",
    "tests.fix_livy",
    "tests.fix_standalone",
    "tests.fix_streams",
    "tests.fix_mails",
    "tests.fix_alerts",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail if a test skips: for machines that have everything")
    parser.addoption("--need-airflow", action="store_true", help="only the tests that need an installed Airflow")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what the chosen tests are not; None: collect it, unless something else has a reason not to."""
    name = collection_path.relative_to(TESTS).as_posix()
    needs_it = any(f"{name}/".startswith(f"{place}/") for place in NEED_AIRFLOW)
    on_its_way = any(f"{place}/".startswith(f"{name}/") for place in NEED_AIRFLOW) or collection_path == TESTS
    if not AIRFLOW_INSTALLED and needs_it:
        return True
    if config.getoption("--need-airflow") and not (needs_it or on_its_way):
        return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes go first, so that at the end no process works on one while the others have none left."""
    items.sort(key=lambda item: not (item.get_closest_marker("end_to_end") or item.get_closest_marker("spark")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Spell out lone surrogates in what a test logged: the process that runs it sends its report as UTF-8."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a worker of pytest-xdist: the process that started it has the report
        return
    if session.config.getoption("--no-skips") and exitstatus == 0 and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
