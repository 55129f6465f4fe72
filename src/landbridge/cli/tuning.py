"""
What a process that only serves is tuned to; a library that others import must not do this to them.

malloc: glibc gives a result of a megabyte back to the system at once and faults it in again for the next one; keeping it is
worth 1.8 times the rate of large queries (PERFORMANCE section 0). Garbage collection: what start-up made lives as long as the
process, so it is not looked at again.
"""

from __future__ import annotations

import ctypes
import gc
import logging

log = logging.getLogger(__name__)

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_TRIM, _MMAP = 128 << 20, 32 << 20


def tune() -> None:
    """Tune malloc, where it is glibc's, and the collector. Called once the org is open."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP)
        libc.mallopt(_M_TRIM_THRESHOLD, _TRIM)
    except (AttributeError, OSError):
        log.debug("no mallopt here: large results cost more")
