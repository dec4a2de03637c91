from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.views.not_shown import NotShown


@pytest.mark.parametrize("status", [404, 503])
def test_what_cannot_be_shown_is_a_status_and_whole_sentences(status):
    error = pickle.loads(pickle.dumps(NotShown(status, "No such check. Look for it. ü")))
    assert (error.status, str(error)) == (status, "No such check. Look for it. ü")
