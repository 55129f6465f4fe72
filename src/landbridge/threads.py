"""Threads that libraries start for us, and how they share a core with the loop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def yielding() -> Iterator[None]:
    """
    Threads started meanwhile, and those that they start, are threads of batches; they inherit the policy of who starts them.

    Such a thread does not take the core from the loop for every packet, but when the loop has nothing left to do. On one core, 16
    callouts at a time cost 57 us each and not 66, those settled in units 95 and not 130, a response of 100 events on one of 20
    streams 140 and not 180. With a core for each of the two nothing changes, nor does the share of the processor it gets. Linux
    only; a sandbox that forbids it changes nothing.
    """
    try:
        changed = os.sched_getscheduler(0) == os.SCHED_OTHER
        if changed:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, OSError):
        changed = False
    try:
        yield
    finally:
        if changed:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
