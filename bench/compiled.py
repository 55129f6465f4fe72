"""The wheel as it is published, with its hot paths compiled: built here from the source at hand, unpacked beside the floors."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from bench.floors import BUILD
from bench.servers import ROOT


def site() -> Path | None:
    """A folder to put first on PYTHONPATH; None, with what is missing said, where no wheel can be compiled."""
    if shutil.which("cc") is None or not Path(sysconfig.get_path("include"), "Python.h").is_file():
        print(
            "  no C compiler, or no headers of Python (Debian: apt-get install gcc python3-dev): the wheel is left out"
        )
        return None
    sources = [ROOT / "pyproject.toml", *sorted((ROOT / "src").rglob("*.py"))]
    mark = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    target = BUILD / f"wheel-{mark}"
    if target.is_dir():
        return target
    print("  compiling a wheel ...", flush=True)
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as place:
        told = {**os.environ, "HATCH_BUILD_HOOK_ENABLE_MYPYC": "1"}
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", place, str(ROOT)]
        done = subprocess.run(build, env=told, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"  the wheel could not be compiled, its figures are left out: {done.stdout.strip()[-400:]}")
            return None
        (wheel,) = Path(place).glob("*.whl")
        unpacked = Path(place) / "site"
        install = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            str(unpacked),
            str(wheel),
        ]
        subprocess.run(install, check=True, capture_output=True)
        for old in BUILD.glob("wheel-*"):
            shutil.rmtree(old)
        unpacked.rename(target)
    return target
