"""
Where an org lives: a folder with one owner.

    DIR/org.sqlite     the database (with -wal and -shm beside it)
    DIR/lock           held by the process that owns the folder; says who that is
    DIR/server.json    how to reach the owner's server, mode 600 (the ready file's form)
    DIR/credentials    the first login, mode 600
    DIR/key            the key that seals secrets, mode 600, outside the database
    DIR/tls/           the local CA and the server's certificate

An org in memory has the same files in a folder of its own in /dev/shm (else the temp folder), removed at exit: a real
in-memory SQLite has no write-ahead log and no readers beside the writer.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from landbridge.errors import LandbridgeError

DATABASE = "org.sqlite"


class Folder:
    """An owned folder; `close` lets go of it and removes it when it was made for this run alone."""

    def __init__(self, path: Path, lock: int, *, temporary: bool) -> None:
        self.path = path
        self.temporary = temporary
        self._lock = lock

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    @classmethod
    def open(cls, path: Path | None) -> Folder:
        """
        Own `path` (made when missing), or a temporary folder for None.

        Raises LandbridgeError when another process owns it or it can't be used.
        """
        if path is None:
            _sweep()
            # Owned before it has the name by which others sweep: they would take an unlocked one for left behind.
            made = Path(tempfile.mkdtemp(prefix=_UNNAMED, dir=_fast_place()))
            lock = _take_lock(made)
            named = made.rename(made.with_name(_PREFIX + made.name.removeprefix(_UNNAMED)))
            return cls(named, lock, temporary=True)
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LandbridgeError(
                f"the data folder {path} can't be made: {error.strerror}. Name another one with --data."
            ) from error
        return cls(path, _take_lock(path), temporary=False)

    def close(self) -> None:
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


_PREFIX = "landbridge-org-"
_UNNAMED = ".landbridge-new-"


def _fast_place() -> str | None:
    memory = Path("/dev/shm")  # noqa: S108  # mkdtemp makes a folder of mode 700 with a name of its own in it
    return str(memory) if memory.is_dir() and os.access(memory, os.W_OK) else None


def memory_folders() -> list[Path]:
    """The folders of orgs in memory on this machine that this user can read, owned or left behind."""
    place = Path(_fast_place() or tempfile.gettempdir())
    return [folder for folder in sorted(place.glob(f"{_PREFIX}*")) if os.access(folder, os.R_OK)]


def _sweep() -> None:
    """Remove what a killed server left: temporary folders that nobody owns any more."""
    for left in memory_folders():
        try:
            descriptor = os.open(left / "lock", os.O_RDWR)
        except OSError:
            continue  # being made just now, or another user's
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue  # owned
        finally:
            os.close(descriptor)


def _take_lock(path: Path) -> int:
    try:
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LandbridgeError(
            f"the data folder {path} can't be written: {error.strerror}. Check its permissions, or name another one."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 100).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise LandbridgeError(
            f"the data folder {path} is owned by a running Landbridge (process {owner}). "
            "Stop that one, talk to it with --org URL, or name another folder with --data."
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def is_owned(path: Path) -> bool:
    """Whether a running process owns this data folder."""
    try:
        descriptor = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def make_private(database: Path) -> None:
    """See that nobody else reads a database, made or not: SQLite gives its -wal and -shm files the mode of the file itself."""
    os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for path in (database, *database.parent.glob(f"{database.name}-*")):
        path.chmod(0o600)


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 600 in one step: a reader sees the old one or the whole new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
