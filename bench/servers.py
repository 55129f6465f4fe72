"""The servers that are compared, each a process of its own: ours, uvicorn's raw hello, the FastAPI stack a user would write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.load import Job, Result

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "bench"

HELLO = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})
"""


@dataclass
class Running:
    """A server that answers on `port`; `ready` is ours' ready file."""

    port: int
    process: subprocess.Popen[bytes]
    ready: dict[str, Any]

    def load(self, job: Job) -> Result:
        """Put the load on from a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"], input=json.dumps(asdict(replace(job, port=self.port))).encode(),
            cwd=ROOT, capture_output=True, check=False, timeout=job.seconds + 60,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        result = Result(**json.loads(done.stdout))
        if result.errors:
            raise RuntimeError(f"{result.errors} of {result.done} answers were errors: {job.method} {job.path}")
        return result

    def resident(self) -> float:
        """Resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def wait(port: int, path: str, process: subprocess.Popen[bytes]) -> None:
    """Until something answers at all."""
    for _ in range(2000):
        if process.poll() is not None:
            raise RuntimeError("the server ended before it answered")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.005)
        else:
            return
    raise RuntimeError("the server does not answer")


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def compiled() -> dict[str, str]:
    """The environment, with bytecode kept between starts as an installed package has it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextmanager
def ours(
    folder: Path, *options: str, memory: bool = False, source: Path | None = None, site: Path | None = None
) -> Iterator[Running]:
    """`landbridge serve`, durable unless `memory`; authentication and validation on, as always. `site`: from an unpacked wheel."""
    ready = folder / "ready.json"
    with spawned(folder, *options, memory=memory, source=source, site=site) as process:
        while not ready.exists():
            if process.poll() is not None:
                raise RuntimeError(process.stderr.read().decode() if process.stderr else "")
            time.sleep(0.002)
        found = json.loads(ready.read_text())
        yield Running(int(found["url"].rpartition(":")[2]), process, found)


@contextmanager
def spawned(
    folder: Path, *options: object, memory: bool = False, source: Path | None = None, site: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The same, not yet answering; its ready file is `ready.json` of the folder."""
    ready = folder / "ready.json"
    place = ["--memory"] if memory else ["--data", str(folder / "org")]
    more = ["--source", str(source)] if source is not None else []
    environment = {
        **compiled(),
        **({} if site is None else {"PYTHONPATH": str(site)}),
        "LANDBRIDGE_HOME": str(folder / "home"),
        "LANDBRIDGE_DAILY_API_REQUESTS": "1000000000",
        "LANDBRIDGE_HOURLY_PUBLISHED_EVENTS": "1000000000",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "landbridge", "serve", "--port", "0", "--ready-file", str(ready), *place, *more,
         *map(str, options)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    with stopped(process):
        yield process


@contextmanager
def uvicorn(folder: Path, module: str, text: str, port: int, path: str) -> Iterator[Running]:
    """A module under uvicorn, one process, no access log."""
    (folder / f"{module}.py").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", f"{module}:app", "--port", str(port), "--no-access-log", "--log-level", "warning"],
        cwd=folder, env={**os.environ, "SYNC": "full"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with stopped(process):
        wait(port, path, process)
        yield Running(port, process, {})


def hello(folder: Path) -> Any:
    return uvicorn(folder, "bench_hello", HELLO, 18231, "/")


def fastapi(folder: Path) -> Any:
    return uvicorn(folder, "bench_fastapi", (SHARED / "fastapi_sqlalchemy.py").read_text(), 18232, "/docs")
