"""Arrows point down: rooms stand on floors, our nouns know nothing of Airflow, and few modules know its versions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "airflow_agari_provider"

# The house, from the roof to the ground. A module may import from its own room and from floors below it.
# docs/architecture.md shows the same table; a room that is not built yet has its place already.
FLOORS = (
    "plugin  commands",
    "views  example_dags",
    "operators  sensors  slas",
    "streams",
    "notifications  local  avro_import",
    "triggers",
    "hooks  queues  discrepancy  blast_radius",
    "airflow_runs  airflow_deadlines",
    "alerts",
    "databases",
    "scoring  avro",
    "s3  airflow_errors",
    "airflow_compat  charts",
    "exceptions  provider_info  airflow_agari_provider",
)
FLOOR_OF = {room: len(FLOORS) - number for number, floor in enumerate(FLOORS) for room in floor.split()}

# Rooms inside a room, from the roof down: each is its own room, and may import from those after it.
INNER_FLOORS = {
    "views": ("views", "views/queries"),
    "local": ("local/__main__", "local/demo", "local", "local/emr"),
}

AIRFLOW_NOUNS = {"operators", "sensors", "triggers", "hooks", "notifications", "views", "slas", "commands", "plugin"}
AIRFLOW_NOUNS |= {"airflow_compat", "airflow_errors", "airflow_runs", "airflow_deadlines"}
# The neighbours of airflow_compat, the plugin that registers with the web of either Airflow, and what drives an Airflow
# from outside, by its commands and its API.
KNOWS_VERSIONS = {
    "airflow_compat.py",
    "airflow_deadlines.py",
    "airflow_runs.py",
    "local/demo/airflow_home.py",
    "plugin.py",
}
# What only a web server imports: Airflow's own tables, and the web of one Airflow each.
BESIDE_THE_METADATA = {
    "views/queries/tables.py",
    "views/queries/tries_in_one_table.py",
    "views/queries/tries_in_two_tables.py",
    "views/web_airflow2.py",
    "views/web_airflow3.py",
    "views/requests_airflow3.py",
    "views/charts_airflow3.py",
    "views/alerts_airflow3.py",
    "views/discrepancies_airflow3.py",
}
NEIGHBOURS = {"airflow_compat.py", "airflow_deadlines.py", "airflow_runs.py"}
# Modules without a test file of their own, and the test that proves what they do.
TESTED_BY = {
    # a whole day in real processes
    "local/demo/demo.py": "end_to_end/test_demo.py",
    # routes: thin shells, of which each is asked over HTTP by everybody who may and who may not
    "views/alerts_airflow3.py": "views/test_access.py",
    "views/charts_airflow3.py": "views/test_access.py",
    "views/discrepancies_airflow3.py": "views/test_access.py",
    "views/requests_airflow3.py": "views/test_access.py",
    "views/web_airflow2.py": "views/test_access.py",
    "views/web_airflow3.py": "views/test_access.py",
    # what the import of a file and of a stream share, on real databases
    "avro_import/block_load.py": "avro_import/test_object_load.py",
    # the parts of one transaction, which only mean something together: kills, races and bad records, on real databases
    "streams/checkpoints.py": "streams/test_stream_import.py",
    "streams/record_load.py": "streams/test_stream_import.py",
    "streams/record_quarantine.py": "streams/test_stream_import.py",
    "streams/shard_work.py": "streams/test_stream_import.py",
    # thin shells around Airflow
    "operators/registry_access.py": "operators/test_avro_kinesis_import.py",
    "sensors/looks.py": "sensors/test_kinesis_lag.py",
    # statements, each of which is asked on real databases for a whole answer
    "views/queries/asset_links.py": "views/queries/test_blast_radius.py",
    "views/queries/linked_runs.py": "views/queries/test_blast_radius.py",
    "views/queries/sensor_links.py": "views/queries/test_blast_radius.py",
    "views/queries/stored_dags.py": "views/queries/test_blast_radius.py",
    "views/queries/task_links.py": "views/queries/test_blast_radius.py",
    # the shape of one Airflow's tables, which the test reads through on each Airflow
    "views/queries/tries_in_one_table.py": "views/queries/test_tries.py",
}
HEAVY = {"boto3", "botocore", "datafusion", "fastavro", "pgpq", "psycopg", "psycopg2", "pyspark", "slack_sdk"}
MODULES = sorted(PACKAGE.rglob("*.py"))
HOUSE = sorted([*MODULES, *(ROOT / "example_dags").glob("*.py")])


def name_of(module: Path) -> str:
    """Path inside the package, or for an example DAG from the root."""
    return str(module.relative_to(PACKAGE if module.is_relative_to(PACKAGE) else ROOT))


def room_of(name: str) -> str:
    """Room of a module by its path: its folder, or its own name where it stands at the package's root."""
    return "airflow_agari_provider" if name == "__init__.py" else name.partition("/")[0].removesuffix(".py")


def inner_room_of(name: str, rooms: tuple[str, ...]) -> str:
    """The innermost of the rooms that a module is in."""
    path = name.removesuffix(".py")
    return max((room for room in rooms if path == room or path.startswith(f"{room}/")), key=len)


def is_airflow_noun(module: Path) -> bool:
    return room_of(name_of(module)) in AIRFLOW_NOUNS


def imports(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """(module, whether at import time of the file) of every import."""

    def walk(node: ast.AST, at_import: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, at_import) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield child.module or "", at_import
                # a name may be a module: from airflow_agari_provider.views.queries import tries
                yield from ((f"{child.module}.{alias.name}", at_import) for alias in child.names)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                yield from ((name, False) for name, _ in walk(child, False))
            else:
                yield from walk(child, at_import and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    yield from walk(tree, True)


def imported_modules(module: Path) -> set[str]:
    """Paths of the package's own modules that a module imports, wherever in it."""
    found = set()
    for name, _ in imports(ast.parse(module.read_text())):
        package, _, inside = name.partition(".")
        if package != "airflow_agari_provider" or not inside:
            continue
        path = inside.replace(".", "/")
        if (PACKAGE / f"{path}.py").exists():
            found.add(f"{path}.py")
        elif (PACKAGE / path / "__init__.py").exists():
            found.add(f"{path}/__init__.py")
    return found


def arrows_up(module: Path, imported: set[str]) -> list[str]:
    """What a module imports, of what it may: nothing of a floor above or beside it."""
    own = room_of(name_of(module))
    wrong = []
    for other in sorted(imported):
        room = room_of(other)
        if room != own and FLOOR_OF[room] >= FLOOR_OF[own]:
            wrong.append(f"{other}: {room} is on floor {FLOOR_OF[room]}, {own} on floor {FLOOR_OF[own]}")
        elif room == own and own in INNER_FLOORS:
            rooms = INNER_FLOORS[own]
            here, there = (rooms.index(inner_room_of(name, rooms)) for name in (name_of(module), other))
            if there < here:
                wrong.append(f"{other}: {rooms[there]} is above {rooms[here]}")
    return wrong


@pytest.mark.parametrize("module", HOUSE, ids=name_of)
def test_a_module_imports_only_from_floors_below_its_own(module):
    assert not arrows_up(module, imported_modules(module))


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("exceptions.py", "airflow_compat.py"),
        ("s3/objects.py", "avro/objects.py"),
        ("databases/base.py", "alerts/claims.py"),
        ("queues/depth.py", "discrepancy/table.py"),
        ("views/queries/tries.py", "views/charts_api.py"),
        ("local/emr/runner.py", "local/demo/demo.py"),
    ],
)
def test_an_arrow_up_or_to_the_side_is_found(module, imported):
    assert arrows_up(PACKAGE / module, {imported})


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_only_the_local_room_imports_it(module):
    if not name_of(module).startswith("local/"):
        assert not {name for name in imported_modules(module) if name.startswith("local/")}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_only_airflow_nouns_import_airflow(module):
    if is_airflow_noun(module):
        return
    found = {name for name, _ in imports(ast.parse(module.read_text())) if name.split(".")[0] == "airflow"}
    assert not found


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_our_nouns_do_not_import_airflow_nouns(module):
    if not is_airflow_noun(module):
        assert not {name for name in imported_modules(module) if room_of(name) in AIRFLOW_NOUNS}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_versions_of_airflow_are_known_in_few_places(module):
    if name_of(module) in KNOWS_VERSIONS:
        return
    words = {node.id for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Name)}
    assert not {word for word in words if word.startswith(("AIRFLOW_3", "AIRFLOW_V_")) or word == "airflow_version"}


def looks_at_the_version(tree: ast.AST) -> list[str]:
    """Expressions that find Airflow's version by what an object of Airflow has: a DAG's attribute, a table's column."""

    def looks(node: ast.AST) -> bool:
        if isinstance(node, ast.Call):
            return ast.unparse(node).startswith("hasattr(dag, ")
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            table = node.comparators[0]
            return isinstance(table, ast.Attribute) and table.attr == "c"
        return False

    return [ast.unparse(node) for node in ast.walk(tree) if looks(node)]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_what_airflow_s_objects_have_is_looked_up_in_few_places(module):
    if name_of(module) not in {*KNOWS_VERSIONS, "views/queries/tables.py"}:
        assert not looks_at_the_version(ast.parse(module.read_text()))


@pytest.mark.parametrize(
    "text",
    ["hasattr(dag, 'deadline')", "'ti_id' in RESCHEDULE.c", "[name for name in names if name not in table.c]"],
)
def test_a_look_at_the_version_is_found(text):
    assert looks_at_the_version(ast.parse(text))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_airflow_is_imported_through_few_places(module):
    """Names that moved between 2 and 3 come from airflow_compat; providers' own modules are where they are."""
    if name_of(module) in {*NEIGHBOURS, *BESIDE_THE_METADATA}:
        return
    found = {
        name for name, _ in imports(ast.parse(module.read_text())) if name == "airflow" or name.startswith("airflow.")
    }
    assert not {name for name in found if not name.startswith("airflow.providers")}


@pytest.mark.parametrize("module", [module for module in MODULES if is_airflow_noun(module)], ids=name_of)
def test_heavy_libraries_wait_for_execute(module):
    """DAG files, and with them these modules, are parsed every few seconds. (providers.amazon brings boto3.)"""
    found = {name for name, at_import in imports(ast.parse(module.read_text())) if at_import}
    assert not {name for name in found if name.split(".")[0] in HEAVY or name.startswith("airflow.providers.amazon")}


def test_the_docs_show_the_floors_of_this_test():
    picture = [f"{FLOOR_OF[floor.split()[0]]:2}  {floor}" for floor in FLOORS]
    assert "```\n" + "\n".join(picture) + "\n```" in (ROOT / "docs" / "architecture.md").read_text()


def test_the_ways_in_the_docs_lead_through_modules_that_are_there():
    """In a block of a way, the first word of a line is a module, or several of one room."""
    ways = (ROOT / "docs" / "architecture.md").read_text().partition("## The way of an object")[2].split("```")[1::2]
    named = [re.split(r"\s{2,}", line.strip())[0] for way in ways for line in way.strip().splitlines()]
    assert len(named) > 30
    for names in named:
        room = PACKAGE
        for name in [] if names == "commit" else names.split(", "):
            place = PACKAGE / name if "/" in name else room / name
            place = ROOT / name if name.startswith("example_dags") else place
            room = place.parent
            assert list(room.glob(place.name + ("" if place.is_dir() else ".py"))), name


def has_a_rule(module: Path) -> bool:
    """Whether a module has a function or class of its own; tables of constants have none."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) for node in ast.parse(module.read_text()).body)


def mirrored(name: str) -> str:
    """Path of a module's test below ``tests``: the same folder, and ``test_`` before its name."""
    folder, _, file = name.rpartition("/")
    return f"{folder}/test_{file.removesuffix('.py').strip('_')}.py".lstrip("/")


@pytest.mark.parametrize("module", [module for module in MODULES if has_a_rule(module)], ids=name_of)
def test_a_module_with_a_rule_has_a_test_of_its_name(module):
    own = mirrored(name_of(module))
    test = ROOT / "tests" / TESTED_BY.get(name_of(module), own)
    assert test.is_file(), f"write tests/{own}"
    assert "def test_" in test.read_text()


@pytest.mark.parametrize("name", TESTED_BY)
def test_an_exception_is_one_as_long_as_it_is_needed(name):
    assert has_a_rule(PACKAGE / name)
    assert not (ROOT / "tests" / mirrored(name)).exists()


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("plugin.py", "test_plugin.py"),
        ("queues/drain.py", "queues/test_drain.py"),
        ("views/queries/tries.py", "views/queries/test_tries.py"),
        ("local/__main__.py", "local/test_main.py"),
    ],
)
def test_tests_mirror_the_package(module, test):
    assert mirrored(module) == test


def test_every_room_has_a_floor():
    assert {room_of(name_of(module)) for module in HOUSE} <= set(FLOOR_OF)


def test_the_root_of_the_package_stays_small():
    assert len(list(PACKAGE.glob("*.py"))) <= 8


@pytest.mark.parametrize("module", [*MODULES, *sorted((PACKAGE / "views" / "frontend").glob("*.js"))], ids=name_of)
def test_a_module_is_no_longer_than_300_lines(module):
    assert len(module.read_text().splitlines()) <= 300


def test_a_folder_of_our_own_holds_three_files_or_more():
    folders = {module.parent for module in MODULES if module.parent != PACKAGE}
    ours = {folder for folder in folders if folder.relative_to(PACKAGE).parts[0] not in AIRFLOW_NOUNS}
    assert not {
        folder.name for folder in ours if len([file for file in folder.glob("*.py") if file.stem != "__init__"]) < 3
    }
