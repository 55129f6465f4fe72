"""
A disk that forgets at a power cut: an SQLite VFS over the real one that knows what was synced.

Writes since a file's last sync are only in the page cache; a power cut may lose all of them. The VFS keeps, beside each real
file, the content it would have after the cut (`durable`), and copies it on `cut`. A rename or a delete counts at once, which
SQLite's WAL mode does not depend on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw


class Disk:
    """What survives a power cut, per file; `operations` counts writes and syncs, `watch` is called before each."""

    def __init__(self, watch: Callable[[int], None]) -> None:
        self.durable: dict[str, bytearray] = {}
        self.pending: dict[str, list[tuple[int, bytes] | int]] = {}
        self.operations = 0
        self.watch = watch
        self._lock = threading.RLock()  # the checkpointer writes from a thread of its own

    def happened(self) -> None:
        self.operations += 1
        self.watch(self.operations)

    def wrote(self, name: str, offset: int, data: bytes) -> None:
        with self._lock:
            self.happened()
            self.pending.setdefault(name, []).append((offset, bytes(data)))

    def truncated(self, name: str, size: int) -> None:
        with self._lock:
            self.happened()
            self.pending.setdefault(name, []).append(size)

    def synced(self, name: str) -> None:
        with self._lock:
            self.happened()
            self._sync(name)

    def _sync(self, name: str) -> None:
        content = self.durable.setdefault(name, bytearray())
        for change in self.pending.pop(name, []):
            if isinstance(change, int):
                del content[change:]
                continue
            offset, data = change
            if len(content) < offset:
                content.extend(bytes(offset - len(content)))
            content[offset : offset + len(data)] = data

    def cut(self, folder: Path) -> None:
        """Write what a restart would find into another folder."""
        folder.mkdir()
        for name, content in self.durable.items():
            (folder / Path(name).name).write_bytes(content)


class ForgetfulVFS(apsw.VFS):
    """The default VFS, with every write told to a Disk."""

    def __init__(self, name: str, disk: Disk) -> None:
        self.disk = disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> ForgetfulFile:
        return ForgetfulFile(name, flags, self.disk)

    def xDelete(self, name: str, sync: bool) -> None:
        self.disk.durable.pop(name, None)
        self.disk.pending.pop(name, None)
        super().xDelete(name, sync)


class ForgetfulFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], disk: Disk) -> None:
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.wrote(self._name, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self._disk.truncated(self._name, size)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        self._disk.synced(self._name)
        super().xSync(flags)
