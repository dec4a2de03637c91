from __future__ import annotations

import pytest

from airflow_agari_provider.operators import emr_step_link
from airflow_agari_provider.operators.emr_step_link import EmrStepLink


@pytest.mark.parametrize(
    ("stored", "url"), [("https://console.aws.amazon.com/x", "https://console.aws.amazon.com/x"), (None, "")]
)
def test_the_link_is_what_the_task_stored_when_it_submitted(monkeypatch, stored, url):
    monkeypatch.setattr(emr_step_link.XCom, "get_value", lambda key, ti_key: stored if key == "emr_step_url" else None)
    assert EmrStepLink().get_link(None, ti_key=None) == url
