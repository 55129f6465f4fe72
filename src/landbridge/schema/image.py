"""
A database with the tables of the standard objects, ready to be copied: what makes an org start in milliseconds.

Making some 65 tables with their indexes and the rows of EntityDefinition and FieldDefinition takes ten times as long as
copying the file. The image is made once per user and release, kept in the user's folder (`home`), and named by what it was
made from, so that an upgrade makes a new one. Without a home, or where it can't be written, every org makes its own tables.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from landbridge.storage import Migration, SQLiteDatabase

log = logging.getLogger(__name__)

_MADE_BY = ("tables.py", "definitions.py", "model.py", "describe.py", "store.py", "tooling.py")


class Image:
    """The image of this release in a folder, made or not."""

    def __init__(self, home: Path | None, migrations: Sequence[Migration], objects: str) -> None:
        """`objects`: a digest of what the tables are made from."""
        self._path = None if home is None else home / f"image-{_name(migrations, objects)}.sqlite"

    def lay(self, database: Path, *, durable: bool) -> None:
        """Copy the image to where a new database is to be, if there is one. `durable`: it must survive a power cut."""
        if self._path is None or database.exists() or not self._path.is_file():
            return
        temporary = database.with_name(f".{database.name}.new")
        shutil.copyfile(self._path, temporary)
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(database)

    def keep(self, db: SQLiteDatabase) -> None:
        """Make the image from a database that has its tables and nothing else. Two processes at once make one."""
        if self._path is None or self._path.is_file():
            return
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for old in self._path.parent.glob("image-*.sqlite"):
                old.unlink(missing_ok=True)
            db.copy_to(temporary)
            temporary.replace(self._path)
        except OSError as error:
            log.info("the image of the standard objects can't be kept: %s", error)
            temporary.unlink(missing_ok=True)


def _name(migrations: Sequence[Migration], objects: str) -> str:
    made_from = sha256(objects.encode())
    made_from.update(repr(migrations).encode())
    folder = Path(__file__).parent
    for name in _MADE_BY:
        made_from.update((folder / name).read_bytes())
    return made_from.hexdigest()[:16]
