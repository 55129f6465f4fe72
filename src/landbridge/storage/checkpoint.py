"""
The checkpointer: moves what the write-ahead log holds into the database file, beside the loop.

SQLite's own automatic checkpoint runs inside a COMMIT and makes one request in a thousand wait for all of it; a thread
with a connection of its own takes p99 at 128 clients from 11.7 to 2.9 ms (PERFORMANCE section 0). It works by size
and, when nothing is written for a while, by idleness. While writers go on, a passive checkpoint never catches the last
frames, and the log would grow for ever: so the loop closes the small gap that the thread has left.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import apsw

log = logging.getLogger(__name__)

PAGES = 4096
"""Checkpoint when the log has this many pages (16 MB of 4 KB pages)."""
IDLE = 2.0
"""Seconds without a commit after which what is left is checkpointed too."""


class Checkpointer:
    """Runs on its own thread and connection from `start` to `stop`; `progress` is called from that thread."""

    def __init__(self, open_connection: Callable[[], apsw.Connection], progress: Callable[[], None]) -> None:
        self._open = open_connection
        self._progress = progress
        self._wake = threading.Condition()
        self._pages = 0
        self._commits = 0
        self._gap_open = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="landbridge-checkpoint", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def noticed(self, pages: int) -> None:
        """A commit left this many pages in the log."""
        self._pages = pages
        self._commits += 1
        if pages >= PAGES and not self._gap_open:
            with self._wake:
                self._wake.notify()

    def gap_closed(self) -> None:
        """The loop has moved the last frames; the next commit starts the log anew and says how long it is."""
        self._pages = 0
        self._gap_open = False

    def stop(self) -> None:
        """End the thread and wait for a checkpoint under way."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        connection = self._open()
        seen = 0
        try:
            while True:
                with self._wake:
                    if not self._stopping and (self._gap_open or self._pages < PAGES):
                        self._wake.wait(IDLE)
                    if self._stopping:
                        return
                    idle = self._commits == seen
                    seen = self._commits
                    due = not self._gap_open and (self._pages >= PAGES or (idle and self._pages > 0))
                if due:
                    self._checkpoint(connection)
        finally:
            connection.close()

    def _checkpoint(self, connection: apsw.Connection) -> None:
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            # A full or failing disk: commits will say so to their callers; the log keeps everything meanwhile.
            log.warning("checkpoint failed (%s), the write-ahead log keeps growing", type(error).__name__)
            self._pages = 0
            return
        self._gap_open = True
        self._progress()
