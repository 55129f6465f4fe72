"""The policy of threads that libraries start; that theirs have it stands with gRPC's and the HTTP client's own tests."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from landbridge.threads import yielding

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux's own")


def policy_of_a_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
    thread.start()
    thread.join()
    return found[0]


def test_threads_started_meanwhile_are_of_batches_and_later_ones_are_not() -> None:
    with pytest.raises(RuntimeError), yielding():
        with yielding():  # an org that opens while another one does
            assert policy_of_a_thread() == os.SCHED_BATCH
        assert policy_of_a_thread() == os.SCHED_BATCH
        raise RuntimeError

    assert policy_of_a_thread() == os.SCHED_OTHER


@pytest.mark.parametrize("call", ["sched_getscheduler", "sched_setscheduler"])
def test_a_sandbox_that_forbids_it_changes_nothing(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def forbidden(*_: Any) -> None:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(os, call, forbidden)
        with yielding():
            pass

    assert policy_of_a_thread() == os.SCHED_OTHER
