"""What this package relies on, and Airflow does not promise, is there; docs/airflow_names.md lists it."""

from __future__ import annotations

import ast
import inspect
import json
import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest

from airflow_agari_provider.airflow_compat import (
    AIRFLOW_3,
    DAG,
    AirflowPlugin,
    BaseOperator,
    is_mapped,
    task,
    timezone,
)
from airflow_agari_provider.airflow_deadlines import TimeOfDayDeadline
from airflow_agari_provider.views.queries import dag_facts
from tests.test_architecture import MODULES, ROOT

PAGE = (ROOT / "docs" / "airflow_names.md").read_text()
# What Airflow's pages "Public Interface" promise.
PUBLIC = ("airflow", "airflow.__version__", "airflow.providers", "airflow.sdk", "airflow.triggers.base")
PUBLIC_2 = ("airflow.models.mappedoperator", "airflow.timetables.interval", "airflow.utils.log.secrets_masker")
# Of modules that are not promised, the names that are used.
LISTED = {
    "airflow.api_fastapi.app": ["get_auth_manager"],
    "airflow.api_fastapi.auth.managers.base_auth_manager": ["COOKIE_NAME_JWT_TOKEN"],
    "airflow.api_fastapi.auth.managers.models.base_user": ["BaseUser"],
    "airflow.api_fastapi.auth.managers.models.resource_details": ["DagAccessEntity", "DagDetails"],
    "airflow.api_fastapi.common.db.common": ["SessionDep"],
    "airflow.api_fastapi.core_api.security": ["resolve_user_from_token"],
    "airflow.configuration": ["ensure_secrets_loaded"],
    "airflow.models.dag": ["DagModel"],
    "airflow.sdk.execution_time.task_runner": ["RuntimeTaskInstance"],
    "airflow.secrets.metastore": ["MetastoreBackend"],
    "airflow.utils.session": ["create_session"],
}


def only(here):
    """Leave a test out of other Airflows than the one whose names it is about."""
    return lambda test: test if here else None


only_3 = only(AIRFLOW_3)
only_2 = only(not AIRFLOW_3)
has_references = only(hasattr(AirflowPlugin, "deadline_references"))  # since 3.2


def parameters(function):
    return set(inspect.signature(function).parameters)


@only_3
@pytest.mark.parametrize("module", LISTED)
def test_the_modules_have_the_names(module):
    for name in LISTED[module]:
        assert hasattr(import_module(module), name), name


@only_3
def test_a_task_or_a_trigger_may_ask_how_a_run_stands():
    from airflow.jobs import triggerer_job_runner
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    assert {"dag_id", "run_ids", "task_ids", "map_index"} <= parameters(RuntimeTaskInstance.get_task_states)
    assert {"dag_id", "run_id"} <= parameters(RuntimeTaskInstance.get_dagrun_state)
    assert {"dag_id", "run_ids"} <= parameters(RuntimeTaskInstance.get_dr_count)
    answered = str(triggerer_job_runner.ToTriggerSupervisor)
    for question in ("GetTaskStates", "GetDagRunState", "GetDRCount", "GetConnection"):
        assert question in answered, question


@only_3
def test_an_index_of_a_mapped_task_is_joined_to_its_id():
    from airflow.api_fastapi.execution_api.routes import task_instances

    source = inspect.getsource(task_instances.get_task_instance_states)
    assert re.search(r"f\"\{task\.task_id\}_\{\w+(\.\w+)?\}\"", source)


@has_references
def test_airflow_asks_a_reference_for_its_time():
    try:
        from airflow.serialization.definitions.deadline import SerializedReferenceModels
    except ImportError:
        pytest.skip("another Airflow evaluates references elsewhere: tests/test_airflow_deadlines.py calls ours")
    run = SimpleNamespace(filter_by=lambda **_: SimpleNamespace(one=lambda: (datetime(2016, 2, 26, 4, tzinfo=UTC),)))
    session = SimpleNamespace(query=lambda _: run)
    reference = SerializedReferenceModels.SerializedCustomReference(TimeOfDayDeadline("06:00:00 UTC"))
    asked = {"session": session, "interval": timedelta(minutes=1), "dag_id": "x", "run_id": "y", "more": 1}
    assert reference.evaluate_with(**asked) == datetime(2016, 2, 26, 6, 1, tzinfo=UTC)


def test_slas_are_set_after_a_dag_is_made():
    with DAG("telemetry", schedule=None, start_date=timezone.datetime(2016, 2, 1)) as dag:
        one = BaseOperator(task_id="one")
    names = ("deadline", "has_on_success_callback") if AIRFLOW_3 else ("sla_miss_callback", "has_on_success_callback")
    assert [name for name in names if not hasattr(dag, name)] == []
    assert AIRFLOW_3 or hasattr(one, "sla")


def test_a_mapped_task_is_known_also_in_a_mapped_group():
    with DAG("telemetry", schedule=None, start_date=timezone.datetime(2016, 2, 1)) as dag:

        @task
        def work(number):
            return number

        @task_group_of
        def group(number):
            work.override(task_id="inside")(number)

        work(0)
        work.override(task_id="mapped").expand(number=[1, 2])
        group.expand(number=[1, 2])
    found = {one.task_id: (is_mapped(one), any(one.iter_mapped_task_groups())) for one in dag.tasks}
    assert found == {"work": (False, False), "mapped": (True, False), "group.inside": (False, True)}


def task_group_of(function):
    decorators = import_module("airflow.sdk" if AIRFLOW_3 else "airflow.decorators")
    return decorators.task_group(group_id="group")(function)


def test_the_module_of_a_dag_file_has_an_unusual_name(tmp_path):
    from airflow.utils.file import get_unique_dag_module_name

    assert get_unique_dag_module_name(str(tmp_path / "dag.py")).startswith("unusual_prefix_")


def test_a_task_that_begins_in_a_trigger_says_so_in_its_serialized_dag():
    from airflow.serialization import serialized_objects
    from airflow.triggers.base import StartTriggerArgs

    class Begins(BaseOperator):
        start_trigger_args = StartTriggerArgs("a.Trigger", "resume", {}, None, None)
        start_from_trigger = True

        def __init__(self, item=None, **arguments):
            super().__init__(**arguments)

    class MayBegin(BaseOperator):
        def __init__(self, start_from_trigger=False, item=None, **arguments):
            super().__init__(**arguments)

    with DAG("telemetry", schedule=None, start_date=timezone.datetime(2016, 2, 1)) as dag:
        Begins(task_id="begins")
        Begins.partial(task_id="mapped").expand(item=["a", "b"])
        MayBegin.partial(task_id="argument", start_from_trigger=True).expand(item=["a", "b"])
        BaseOperator(task_id="plain")
    serialization = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    tasks = json.loads(json.dumps(serialization.to_dict(dag)))["dag"]["tasks"]
    found = [dag_facts._task_fact(task.get("__var", task), {}) for task in tasks]
    in_triggers = {task_id: facts.in_trigger for task_id, facts in found}
    assert in_triggers == {"begins": True, "mapped": True, "argument": True, "plain": False}


@only_3
def test_a_process_that_says_it_is_a_server_may_read_connections_of_the_database():
    from airflow.sdk.execution_time import supervisor

    if not hasattr(supervisor, "ensure_secrets_backend_loaded"):
        pytest.skip("this Airflow reads connections in other ways")
    assert '"_AIRFLOW_PROCESS_CONTEXT") == "server"' in inspect.getsource(supervisor.ensure_secrets_backend_loaded)


@only_2
def test_2_keeps_a_miss_with_its_text():
    from airflow.models.slamiss import SlaMiss

    assert {"task_id", "execution_date", "timestamp", "description"} <= set(SlaMiss.__table__.c.keys())


@only_3
def test_a_dag_has_a_team():
    from airflow.models.dag import DagModel

    assert not hasattr(DagModel, "get_team_name") or "dag_id" in parameters(DagModel.get_team_name)


def airflow_imports():
    """(module of Airflow, imported name) that this package imports, and where."""
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "airflow":
                yield from ((node.module, alias.name, module.name) for alias in node.names)


def test_no_other_module_of_airflow_is_relied_on():
    """A new one is promised by Airflow, or gets a line on the page and a test here."""
    beside = (
        r"airflow\.(models|www|auth|settings|utils\.session)"  # of 2.11, and tables that a test of their own watches
    )
    for module, name, where in airflow_imports():
        promised = module in PUBLIC + PUBLIC_2 or module.startswith("airflow.providers.")
        promised = promised or module in ("airflow.sdk.log", "airflow.sdk.definitions.deadline")
        assert promised or name in LISTED.get(module, ()) or re.match(beside, module), f"{where}: {module}.{name}"


@pytest.mark.parametrize("name", sorted({name for names in LISTED.values() for name in names}))
def test_the_page_lists_it(name):
    assert f"`{name}" in PAGE or f"{name}." in PAGE
