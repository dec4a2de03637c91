"""What Airflow's provider manager reads, checked without an Airflow; ``contracts/test_operators.py`` imports it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from airflow_agari_provider import __version__
from airflow_agari_provider.provider_info import get_provider_info

PACKAGE = Path(__file__).parents[1] / "airflow_agari_provider"
INFO = get_provider_info()
ENDS = {"operators": ("Operator",), "sensors": ("Sensor",), "triggers": ("Trigger",), "hooks": ("Hook",)}


def classes(kind, ends):
    """Modules of a room with a class whose name says what it is."""
    for file in sorted((PACKAGE / kind).glob("*.py")):
        names = [node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]
        if any(name.endswith(ends) and not name.startswith("_") for name in names):
            yield f"airflow_agari_provider.{kind}.{file.stem}"


@pytest.mark.parametrize("kind", ENDS)
def test_every_operator_sensor_trigger_and_hook_is_listed(kind):
    listed = [module for entry in INFO[kind] for module in entry["python-modules"]]
    assert len(set(listed)) == len(listed)
    assert set(classes(kind, ENDS[kind])) <= set(listed)


def paths():
    yield from INFO["extra-links"]
    yield from INFO["notifications"]
    yield from (one["hook-class-name"] for one in INFO["connection-types"])


@pytest.mark.parametrize("path", list(paths()))
def test_a_class_that_is_named_is_there(path):
    module, _, name = path.rpartition(".")
    file = PACKAGE.parent / f"{module.replace('.', '/')}.py"
    assert name in [node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]


def test_provider_info_names_only_integrations_and_versions_that_there_are():
    info = get_provider_info()
    known = {one["integration-name"] for one in info["integrations"]}
    for kind in ("operators", "sensors", "triggers", "hooks"):
        assert {one["integration-name"] for one in info[kind]} <= known
    options = [option for section in info["config"].values() for option in section["options"].values()]
    assert {option["version_added"] for option in options} == {__version__}


def test_each_setting_says_what_it_is_for_and_none_is_read_that_is_not_there():
    options = INFO["config"]["agari"]["options"]
    assert all(one["description"].endswith(".") and one["type"] in ("string", "float") for one in options.values())
    read = {
        node.args[1].value
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and len(node.args) > 1 and ast.unparse(node.args[0]) == "'agari'"
    }
    assert read == set(options)


def test_the_answer_is_json_and_each_caller_may_change_theirs():
    assert json.loads(json.dumps(INFO)) == INFO
    get_provider_info()["operators"].clear()
    assert get_provider_info() == INFO
