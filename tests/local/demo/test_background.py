"""Work beside the demo's own."""

from __future__ import annotations

import threading

import pytest

from airflow_agari_provider.local.demo.background import in_background


def test_its_result_and_its_error_reach_who_asks():
    assert in_background(lambda: 7).result(10) == 7
    failed = in_background(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        failed.result(10)


def test_the_process_does_not_wait_for_it():
    release = threading.Event()

    def endless():
        release.wait(60)

    work = in_background(endless)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "endless"]
    assert thread.daemon
    assert not work.done()
    release.set()
    work.result(10)
