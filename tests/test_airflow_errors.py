from __future__ import annotations

import pytest

from airflow_agari_provider.airflow_compat import AirflowFailException
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.exceptions import AgariError, BadAvro, UnimportableObject


@pytest.mark.parametrize(
    ("named", "ends"),
    [((BadAvro,), AirflowFailException), ((UnimportableObject,), AirflowFailException), ((KeyError,), BadAvro)],
    ids=["its class", "a base class of it", "another class"],
)
def test_only_the_named_errors_end_the_task_without_a_retry(named, ends):
    error = BadAvro("s3://agari/a.avro", 16, "the file is truncated")
    with pytest.raises(ends) as raised, no_retry(*named):
        raise error
    assert str(raised.value) == str(error)
    assert error in (raised.value, raised.value.__cause__)


def test_what_raises_nothing_ends_as_usual():
    with no_retry(AgariError):
        counted = 3
    assert counted == 3
