"""Arrows point down: our nouns know nothing of Airflow, and only one module knows its versions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "airflow_agari_provider"
AIRFLOW_NOUNS = {"operators", "sensors", "triggers", "hooks", "notifications", "views"}
AIRFLOW_MODULES = {"plugin", "airflow_compat", "airflow_errors", "slas"}
# Drive an Airflow from outside, by its commands and its API; register with the web of either.
KNOWS_VERSIONS = {"airflow_compat.py", "local/airflow_home.py", "plugin.py"}
# What only a web server imports: Airflow's own tables, and the web of one Airflow each.
BESIDE_THE_METADATA = {"views/metadata.py", "views/web_airflow2.py", "views/web_airflow3.py"}
HEAVY = {"boto3", "botocore", "datafusion", "fastavro", "pgpq", "psycopg", "psycopg2", "pyspark", "slack_sdk"}
# What may be imported at the head of a module that DAG files import. (airflow.providers.amazon brings boto3.)
MODULES = sorted(PACKAGE.rglob("*.py"))


def is_airflow_noun(module: Path) -> bool:
    parts = module.relative_to(PACKAGE).parts
    return parts[0] in AIRFLOW_NOUNS or parts[0].removesuffix(".py") in AIRFLOW_MODULES


def imports(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """(module, whether at import time of the file) of every import."""

    def walk(node: ast.AST, at_import: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, at_import) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield child.module or "", at_import
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            else:
                yield from walk(child, at_import and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    yield from walk(tree, True)


def names(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_only_airflow_nouns_import_airflow(module):
    if is_airflow_noun(module):
        return
    found = {name for name, _ in imports(ast.parse(module.read_text())) if name.split(".")[0] == "airflow"}
    assert not found


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_our_nouns_do_not_import_airflow_nouns(module):
    if is_airflow_noun(module):
        return
    rooms = {f"airflow_agari_provider.{noun}" for noun in AIRFLOW_NOUNS | AIRFLOW_MODULES}
    found = {
        name for name, _ in imports(ast.parse(module.read_text())) if name in rooms or name.rpartition(".")[0] in rooms
    }
    assert not found


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_nobody_but_the_local_room_imports_it(module):
    if names(module).startswith("local/"):
        return
    found = {name for name, _ in imports(ast.parse(module.read_text())) if ".local" in name}
    assert not found


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_versions_of_airflow_are_known_in_one_place(module):
    if names(module) in KNOWS_VERSIONS:
        return
    words = {node.id for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Name)}
    assert not {word for word in words if word.startswith(("AIRFLOW_3", "AIRFLOW_V_")) or word == "airflow_version"}


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_airflow_is_imported_through_the_one_place(module):
    """Names that moved between 2 and 3 come from airflow_compat; providers' own modules are where they are."""
    if names(module) in {"airflow_compat.py", *BESIDE_THE_METADATA}:
        return
    found = {
        name for name, _ in imports(ast.parse(module.read_text())) if name == "airflow" or name.startswith("airflow.")
    }
    assert not {name for name in found if not name.startswith("airflow.providers.")}


@pytest.mark.parametrize("module", [module for module in MODULES if is_airflow_noun(module)], ids=names)
def test_heavy_libraries_wait_for_execute(module):
    """DAG files, and with them these modules, are parsed every few seconds."""
    found = {name for name, at_import in imports(ast.parse(module.read_text())) if at_import}
    assert not {name for name in found if name.split(".")[0] in HEAVY or name.startswith("airflow.providers.amazon")}


def test_a_folder_of_our_own_holds_three_files_or_more():
    folders = {module.parent for module in MODULES if module.parent != PACKAGE}
    ours = {folder for folder in folders if folder.relative_to(PACKAGE).parts[0] not in AIRFLOW_NOUNS}
    small = {
        folder.name for folder in ours if len([file for file in folder.glob("*.py") if file.stem != "__init__"]) < 3
    }
    assert not small
