"""What holds for every operator and sensor of the package."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

from airflow_agari_provider.airflow_compat import BaseOperator
from airflow_agari_provider.provider_info import get_provider_info

INFO = get_provider_info()
MODULES = [
    module
    for kind in ("operators", "sensors", "triggers", "notifications", "hooks")
    for entry in INFO.get(kind, [])
    for module in (entry["python-modules"] if isinstance(entry, dict) else [entry.rpartition(".")[0]])
]


def operators():
    for name in MODULES:
        module = importlib.import_module(name)
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if issubclass(cls, BaseOperator) and cls.__module__ == name:
                yield cls


OPERATORS = list(operators())


def arguments(cls) -> list[str]:
    parameters = inspect.signature(cls.__init__).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


def test_every_public_operator_is_there():
    assert {cls.__name__ for cls in OPERATORS} == {
        "AvroKinesisImportOperator",
        "AvroS3ImportOperator",
        "AvroS3LoadedSensor",
        "DiscrepancyCheckOperator",
        "EmrSparkScoringOperator",
        "KinesisLagSensor",
        "SparkJobSweepOperator",
        "SqsDeadLetterPurgeOperator",
        "SqsDeadLetterReportOperator",
        "SqsDrainSensor",
        "SqsRedriveOperator",
        "SqsScalingOperator",
    }


@pytest.mark.parametrize("module", MODULES)
def test_every_module_in_the_provider_info_is_there(module):
    importlib.import_module(module)


@pytest.mark.parametrize("cls", OPERATORS, ids=lambda cls: cls.__name__)
def test_every_argument_is_documented_and_no_other(cls):
    documented = set(re.findall(r":param (\w+):", cls.__doc__ or ""))
    assert documented == set(arguments(cls))


@pytest.mark.parametrize("cls", OPERATORS, ids=lambda cls: cls.__name__)
def test_every_template_field_is_an_argument(cls):
    own = set(cls.template_fields)
    assert own
    assert own <= set(arguments(cls)) | set(BaseOperator.template_fields)


@pytest.mark.parametrize("cls", OPERATORS, ids=lambda cls: cls.__name__)
def test_aws_operators_take_the_connection_and_the_region_as_templates(cls):
    if cls.__name__ == "DiscrepancyCheckOperator":
        return
    assert {"aws_conn_id", "region_name"} <= set(arguments(cls)) & set(cls.template_fields)


@pytest.mark.parametrize("cls", OPERATORS, ids=lambda cls: cls.__name__)
def test_every_operator_has_a_page(cls, request):
    pages = (request.config.rootpath / "docs").glob("*.md")
    assert any(cls.__name__ in page.read_text() for page in pages)
